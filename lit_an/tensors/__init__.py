"""What several rooms do with tensors: holes, clipping, precision, the search for NaN, hashes of contents.

How to add one: a new file here, if a norm, a network or a metric could use it as well.
"""

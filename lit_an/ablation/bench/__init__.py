"""The runs of a plan: which ones, what they cost, and their processes, here or on a cluster."""

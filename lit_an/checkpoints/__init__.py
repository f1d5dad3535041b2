"""Checkpoint files: the entries that they hold in addition to Lightning's, writing and reading them.

How to add an entry: a field of ``format.Content`` and its line in that module's docstring.
"""

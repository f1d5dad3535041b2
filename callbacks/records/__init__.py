"""What every training writes of itself: its header, ``run.json``, the curves, the README of its folder.

The command line adds them; no config names them. How to add one: a new file here, and its place in ``order.py``.
"""

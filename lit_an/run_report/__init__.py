"""What a run folder says of its run: its tables and pictures read, its README, its curves.

Nothing here needs Lightning; the curves need matplotlib, which is imported when they are drawn.
"""

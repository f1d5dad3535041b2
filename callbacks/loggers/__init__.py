"""The loggers of a run: ``metrics.csv``, what the others show, and how each kind receives a picture.

How to add a kind: ``kinds.py`` says how, also for one from another package.
"""

from callbacks.loggers.kinds import Picture, log_scalars, log_settings, loggers_of_run, show, show_picture

__all__ = ["Picture", "log_scalars", "log_settings", "loggers_of_run", "show", "show_picture"]

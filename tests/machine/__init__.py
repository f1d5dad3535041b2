"""Processes that work for a run."""

"""Tests of what a run folder says of itself."""

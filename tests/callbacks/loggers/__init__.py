"""Tests of callbacks/loggers."""

"""Tests of callbacks/measuring."""

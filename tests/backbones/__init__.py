"""Tests of the frozen networks."""

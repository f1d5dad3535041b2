"""Tests of callbacks/records."""

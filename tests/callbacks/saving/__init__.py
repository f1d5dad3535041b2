"""Tests of callbacks/saving."""

"""Tests of text in pictures."""

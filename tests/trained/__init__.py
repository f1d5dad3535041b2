"""Tests of trained."""

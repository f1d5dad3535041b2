"""Holes, hashes and the search for NaN."""

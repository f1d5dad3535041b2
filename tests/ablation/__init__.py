"""Tests of the ablation bench."""

"""Tests of ablation/bench."""

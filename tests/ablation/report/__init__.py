"""Tests of ablation/report."""

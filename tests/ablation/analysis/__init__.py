"""Tests of ablation/analysis."""

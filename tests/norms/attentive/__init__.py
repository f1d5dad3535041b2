"""Tests of norms/attentive."""

"""Metrics: numbers about layouts and images.

How to add one: a new file here with a pure function from tensors to a result, its import below, and a test against a
hand-computed case.
"""

from lit_an.metrics.layout import LayoutStatistics, layout_statistics

__all__ = ["LayoutStatistics", "layout_statistics"]

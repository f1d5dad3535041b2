"""Metrics: numbers about layouts and images.

How to add one: a new file here with a pure function from tensors to a result, its import below, and a test against a
hand-computed case. A metric of generation also takes its place in ``lit_an/metrics/generation.py``; an extractor
registers itself in ``lit_an/metrics/extractors.py``.
"""

from lit_an.metrics.extractors import EXTRACTORS, FeatureExtractor, create_extractor
from lit_an.metrics.frechet import frechet_distance, frechet_distance_of_features
from lit_an.metrics.generation import GenerationResult, change, generation_result
from lit_an.metrics.inception import inception_score
from lit_an.metrics.kernel import kernel_distance, squared_mmd
from lit_an.metrics.layout import (
    LayoutAgreement,
    LayoutStatistics,
    hole_share_of_regions,
    layout_agreement,
    layout_statistics,
)
from lit_an.metrics.manifold import ManifoldScores, manifold_scores

__all__ = [
    "EXTRACTORS",
    "FeatureExtractor",
    "GenerationResult",
    "LayoutAgreement",
    "LayoutStatistics",
    "ManifoldScores",
    "change",
    "create_extractor",
    "frechet_distance",
    "frechet_distance_of_features",
    "generation_result",
    "hole_share_of_regions",
    "inception_score",
    "kernel_distance",
    "layout_agreement",
    "layout_statistics",
    "manifold_scores",
    "squared_mmd",
]

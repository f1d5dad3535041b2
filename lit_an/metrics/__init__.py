"""Metrics of generated images, inpainted images and semantic layouts.

How to add one: a new file here with a pure function from tensors to a result, its import below, and a test against a
hand-computed case. A metric of generation also takes its place in ``lit_an/metrics/generation.py``, one of a single
inpainted image in ``lit_an/metrics/image_scores.py`` and ``inpainting.py``; an extractor registers itself in
``lit_an/metrics/feature_networks/extractors.py``, a baseline of inpainting in ``lit_an/metrics/baselines.py``. Scores
of layouts are in ``lit_an/metrics/layout/``, which says how to add one.
"""

from lit_an.metrics.baselines import BASELINES, Baseline
from lit_an.metrics.discriminative import DiscriminativeScores, discriminative_scores
from lit_an.metrics.feature_networks.extractors import EXTRACTORS, FeatureExtractor, create_extractor
from lit_an.metrics.feature_networks.lpips import Lpips
from lit_an.metrics.frechet import frechet_distance, frechet_distance_of_features
from lit_an.metrics.generation import GenerationResult, generation_result
from lit_an.metrics.image_scores import image_scores
from lit_an.metrics.inception import inception_score
from lit_an.metrics.inpainting import InpaintingResult, inpainting_result
from lit_an.metrics.kernel import kernel_distance, squared_mmd
from lit_an.metrics.layout import (
    DatasetRegionScores,
    ImageRegionScores,
    LayoutAgreement,
    LayoutScoresResult,
    LayoutStability,
    LayoutStatistics,
    PartitionScores,
    RegionUse,
    hole_share_of_regions,
    layout_agreement,
    layout_statistics,
    matched_iou,
    partition_scores,
    position_shares,
)
from lit_an.metrics.manifold import ManifoldScores, manifold_scores
from lit_an.metrics.pixel_errors import PixelErrors, pixel_errors
from lit_an.metrics.results import compare_results
from lit_an.metrics.similarity import Similarity, multiscale_similarity, structural_similarity

__all__ = [
    "BASELINES",
    "EXTRACTORS",
    "Baseline",
    "DatasetRegionScores",
    "DiscriminativeScores",
    "FeatureExtractor",
    "GenerationResult",
    "ImageRegionScores",
    "InpaintingResult",
    "LayoutAgreement",
    "LayoutScoresResult",
    "LayoutStability",
    "LayoutStatistics",
    "Lpips",
    "ManifoldScores",
    "PartitionScores",
    "PixelErrors",
    "RegionUse",
    "Similarity",
    "compare_results",
    "create_extractor",
    "discriminative_scores",
    "frechet_distance",
    "frechet_distance_of_features",
    "generation_result",
    "hole_share_of_regions",
    "image_scores",
    "inception_score",
    "inpainting_result",
    "kernel_distance",
    "layout_agreement",
    "layout_statistics",
    "manifold_scores",
    "matched_iou",
    "multiscale_similarity",
    "partition_scores",
    "pixel_errors",
    "position_shares",
    "squared_mmd",
    "structural_similarity",
]

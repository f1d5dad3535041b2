"""Metrics of semantic layouts: statistics, agreement with ground truth, stability, position, baselines, diagnosis.

A layout is (B, N, h, w), soft membership in N regions; scores against a ground truth look at the strongest region of
each position. ``contingency.py`` counts pairs of regions, ``partitions.py`` and ``boundaries.py`` score them,
``stability.py`` and ``position.py`` need no ground truth; ``accumulated.py`` has all of them as torchmetrics.
``baselines.py`` makes layouts to compare with, ``segmenter.py`` a ground truth for generated images, ``methods.py``
measures a layout beside its baselines, ``result.py`` is what is written. ``diagnosis.py`` says what is wrong.

How to add a score: a pure function of a joint histogram, or of a layout, in the file where it belongs; a figure of a
class in ``accumulated.py``; its row in ``FIGURES`` of ``result.py``; an oracle in ``tests/metrics/``.
"""

from lit_an.metrics.layout.accumulated import DatasetRegionScores, ImageRegionScores, LayoutStability, RegionUse
from lit_an.metrics.layout.boundaries import boundary_counts, boundary_f_score
from lit_an.metrics.layout.contingency import joint_histogram
from lit_an.metrics.layout.diagnosis import (
    Symptom,
    dead_regions,
    degeneracy,
    position_shares,
    residual_strength,
    symptoms,
)
from lit_an.metrics.layout.partitions import (
    LayoutAgreement,
    PartitionScores,
    layout_agreement,
    matched_iou,
    partition_scores,
)
from lit_an.metrics.layout.result import LayoutScoresResult
from lit_an.metrics.layout.segmenter import PixelSegmenter, fit_segmenter, segmenter_quality
from lit_an.metrics.layout.stability import kappa
from lit_an.metrics.layout.statistics import LayoutStatistics, hole_share_of_regions, layout_statistics

__all__ = [
    "DatasetRegionScores",
    "ImageRegionScores",
    "LayoutAgreement",
    "LayoutScoresResult",
    "LayoutStability",
    "LayoutStatistics",
    "PartitionScores",
    "PixelSegmenter",
    "RegionUse",
    "Symptom",
    "boundary_counts",
    "boundary_f_score",
    "dead_regions",
    "degeneracy",
    "fit_segmenter",
    "hole_share_of_regions",
    "joint_histogram",
    "kappa",
    "layout_agreement",
    "layout_statistics",
    "matched_iou",
    "partition_scores",
    "position_shares",
    "residual_strength",
    "segmenter_quality",
    "symptoms",
]

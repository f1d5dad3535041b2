"""The metrics that are compared: pure functions of tensors, without gradients."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

from lit_an.device_checks.cases import Case
from lit_an.metrics import (
    DatasetRegionScores,
    ImageRegionScores,
    LayoutStability,
    RegionUse,
    frechet_distance_of_features,
    hole_share_of_regions,
    image_scores,
    kernel_distance,
    layout_statistics,
    manifold_scores,
    multiscale_similarity,
    pixel_errors,
    structural_similarity,
)
from lit_an.metrics.inception import inception_score, score_sums, splits_of

_REGIONS, _PARTS = 5, 3


def metric_cases() -> Iterator[Case]:
    """All of them."""
    features: dict[str, Callable[..., Any]] = {
        "frechet_distance": frechet_distance_of_features,
        "kernel_distance": partial(kernel_distance, subsets=5, subset_size=32),
        "manifold_scores": manifold_scores,
    }
    for name, function in features.items():
        yield _metric(name, function, lambda: (torch.randn(64, 12), torch.randn(64, 12) + 0.3))
    yield _metric("inception_score", _inception_score, lambda: (torch.randn(64, 10),))
    images: dict[str, Callable[..., Any]] = {
        "pixel_errors": pixel_errors,
        "structural_similarity": structural_similarity,
        "image_scores": image_scores,
    }
    for name, function in images.items():
        yield _metric(name, function, _images_and_hole)
    yield _metric("multiscale_similarity", multiscale_similarity, lambda: _images_and_hole(192)[:2])
    yield _metric("layout_statistics", layout_statistics, lambda: (_layout(), torch.randn(4, 8, 16, 16)))
    yield _metric("hole_share_of_regions", hole_share_of_regions, lambda: (_layout(), _images_and_hole()[2]))
    parts = (_REGIONS, _PARTS)
    accumulated: dict[str, tuple[Callable[[], Any], Callable[[], tuple[Any, ...]]]] = {
        "DatasetRegionScores": (partial(DatasetRegionScores, *parts), _layout_and_truth),
        "ImageRegionScores": (partial(ImageRegionScores, *parts), _layout_and_truth),
        "RegionUse": (partial(RegionUse, _REGIONS, (16, 16)), lambda: (_layout(),)),
        "LayoutStability": (partial(LayoutStability, _REGIONS), lambda: (_layout(), _layout())),
    }
    for name, (build, inputs) in accumulated.items():
        yield Case("metrics", name, build, inputs)


def _metric(name: str, function: Callable[..., Any], inputs: Callable[[], tuple[Any, ...]]) -> Case:
    return Case("metrics", name, lambda: function, inputs)


def _inception_score(logits: Tensor) -> tuple[float, float]:
    return inception_score(score_sums(logits, splits_of(len(logits), 2).to(logits.device), 2))


def _images_and_hole(side: int = 32) -> tuple[Tensor, Tensor, Tensor]:
    image = torch.rand(4, 3, side, side) * 2 - 1
    mask = torch.zeros(4, 1, side, side)
    mask[..., 8:16, 8:24] = 1
    return image, torch.where(mask > 0.5, torch.rand_like(image) * 2 - 1, image), mask


def _layout() -> Tensor:
    return torch.randn(4, _REGIONS, 16, 16).mul(3).softmax(1)


def _layout_and_truth() -> tuple[Tensor, Tensor]:
    return _layout(), torch.randint(0, _PARTS, (4, 32, 32))

"""Precision, recall, density and coverage by nearest neighbors."""

from typing import NamedTuple

import torch
from torch import Tensor

from lit_an.metrics.feature_pairs import check_features

# Rows of a matrix of distances at a time: 50,000 columns of float64 are then 400 MB.
_ROWS = 1000

PRECISION_NEIGHBORS = 3
DENSITY_NEIGHBORS = 5


class ManifoldScores(NamedTuple):
    """Shares of images inside the balls around the other side's images; larger is better for all.

    Attributes:
        precision: in [0, 1], generated images inside a real image's ball: fidelity.
        recall: in [0, 1], real images inside a generated image's ball: diversity.
        density: ≥ 0, about 1 at best: mean number of real balls around a generated image, over the number expected.
        coverage: in [0, 1], real images whose ball holds a generated image.
    """

    precision: float
    recall: float
    density: float
    coverage: float


def manifold_scores(fake: Tensor, real: Tensor) -> ManifoldScores:
    """Improved precision and recall (balls to the 3rd neighbor), density and coverage (to the 5th).

    Args:
        fake, real: (M, D), (N, D) features, more than 5 images each. Precision grows and recall falls with the
            number of the images that carry the balls, so compare figures of the same counts only.

    Raises:
        InputError: fewer images, or features of different widths.

    Source: Kynkäänniemi et al., "Improved precision and recall metric …", NeurIPS 2019, equation 2; Naeem et al.,
    "Reliable fidelity and diversity metrics for generative models", ICML 2020, equations 4 and 5.
    """
    check_features("precision to coverage", fake, real, DENSITY_NEIGHBORS + 1)
    fake, real = fake.double(), real.double()
    real_near, real_far = _radii(real)
    fake_near, _ = _radii(fake)
    precise, dense = 0, 0
    recalled, covered = [], []
    for rows in fake.split(_ROWS):
        distance = torch.cdist(rows, real)  # (rows, N)
        precise += int((distance <= real_near).any(1).sum())
        dense += int((distance <= real_far).sum())
    for start in range(0, len(real), _ROWS):
        part = slice(start, start + _ROWS)
        distance = torch.cdist(real[part], fake)  # (rows, M)
        recalled.append((distance <= fake_near).any(1))
        covered.append(distance.min(1).values <= real_far[part])
    return ManifoldScores(
        precise / len(fake),
        float(torch.cat(recalled).double().mean()),
        dense / (DENSITY_NEIGHBORS * len(fake)),
        float(torch.cat(covered).double().mean()),
    )


def _radii(features: Tensor) -> tuple[Tensor, Tensor]:
    """(N,) and (N,): distances of each image to its 3rd and 5th nearest other image."""
    near, far = [], []
    for start in range(0, len(features), _ROWS):
        distance = torch.cdist(features[start : start + _ROWS], features)
        # An image is not its own neighbor, but a copy of it is.
        rows = torch.arange(len(distance), device=features.device)
        distance[rows, rows + start] = torch.inf
        nearest = distance.topk(DENSITY_NEIGHBORS, dim=1, largest=False).values  # ascending
        near.append(nearest[:, PRECISION_NEIGHBORS - 1])
        far.append(nearest[:, DENSITY_NEIGHBORS - 1])
    return torch.cat(near), torch.cat(far)

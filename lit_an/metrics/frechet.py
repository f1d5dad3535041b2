"""The Fréchet distance between two sets of features: FID for any feature network."""

from typing import NamedTuple

import torch
from torch import Tensor

from lit_an.metrics.feature_pairs import check_features


class Moments(NamedTuple):
    """Running sums of features; those of two sets, added field by field, are those of their union.

    Attributes:
        num_images: scalar.
        total: (D,), sum of their features.
        outer: (D, D), sum of the outer products of their features with themselves.

    All are float64, so that subtracting the mean from the outer products loses no relevant precision.
    """

    num_images: Tensor
    total: Tensor
    outer: Tensor

    @property
    def mean(self) -> Tensor:
        """(D,)."""
        return self.total / self.num_images

    @property
    def covariance(self) -> Tensor:
        """(D, D), unbiased: over num_images - 1."""
        return (self.outer - torch.outer(self.total, self.mean)) / (self.num_images - 1)


def moments_of(features: Tensor) -> Moments:
    """Moments of (B, D) features.

    Example:
        >>> moments_of(torch.tensor([[1.0, 2.0], [3.0, 2.0]])).covariance
        tensor([[2., 0.],
                [0., 0.]], dtype=torch.float64)
    """
    features = features.double()
    count = torch.tensor(float(len(features)), dtype=torch.float64, device=features.device)
    return Moments(count, features.sum(0), features.T @ features)


def frechet_distance(first: Moments, second: Moments) -> float:
    """Squared Fréchet distance of two normal distributions: |μ₁ - μ₂|² + tr Σ₁ + tr Σ₂ - 2 tr (Σ₁Σ₂)^½.

    With Σ = FᵀF the last trace is the sum of the singular values of F₁F₂ᵀ: both factors come from eigenvalues of
    symmetric matrices, and nothing imaginary can appear.

    Args:
        first, second: of at least two images each; fewer images than features make the figure too large.

    Source: Heusel et al., "GANs trained by a two time-scale update rule …", NeurIPS 2017, equation 6.

    Example:
        >>> features = torch.tensor([[0.0, 0.0], [0.0, 2.0], [2.0, 0.0], [2.0, 2.0]])
        >>> round(frechet_distance(moments_of(features), moments_of(features + 3)), 6)
        18.0
    """
    return _distance(first.mean, _factor(first.covariance), second.mean, _factor(second.covariance))


def frechet_distance_of_features(first: Tensor, second: Tensor) -> float:
    """The same from (M, D) and (N, D) features; much faster for fewer images than features.

    Raises:
        InputError: fewer than two images of a side, or features of different widths.

    Example:
        >>> features = torch.tensor([[0.0, 1.0, 2.0], [1.0, 0.0, 0.0]])
        >>> round(frechet_distance_of_features(features, features + 1), 6)
        3.0
    """
    check_features("the Fréchet distance", first, second, 2)
    parts = []
    for features in (first.double(), second.double()):
        mean = features.mean(0)
        few = len(features) < features.shape[1]
        # Centered rows divided by √(N - 1) are already a factor of the covariance.
        factor = (features - mean) / (len(features) - 1) ** 0.5 if few else _factor(torch.cov(features.T))
        parts += [mean, factor]
    return _distance(*parts)


def _distance(first_mean: Tensor, first_factor: Tensor, second_mean: Tensor, second_factor: Tensor) -> float:
    """From means (D,) and factors (R, D) of the covariances FᵀF."""
    root_trace = torch.linalg.svdvals(first_factor @ second_factor.T).sum()
    traces = first_factor.square().sum() + second_factor.square().sum()
    return float((first_mean - second_mean).square().sum() + traces - 2 * root_trace)


def _factor(covariance: Tensor) -> Tensor:
    """(R, D) F with FᵀF = covariance, from its eigenvalues above the noise of rounding."""
    # One feature makes torch.cov return a scalar.
    values, vectors = torch.linalg.eigh(torch.atleast_2d(covariance))  # ascending
    noise = values[-1].clamp_min(0) * len(values) * torch.finfo(values.dtype).eps
    kept = values > noise
    return (vectors[:, kept] * values[kept].sqrt()).T

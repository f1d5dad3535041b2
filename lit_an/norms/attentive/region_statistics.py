"""What the regions of a map amount to, and the part of the backward pass that has no positions: small tensors only.

Shared by the paths that sum over positions in different ways. B images, C channels, N regions; everything that belongs
to a region and a channel is (B, C, N).
"""

from typing import NamedTuple

import torch
from torch import Tensor

import lit_an.norms.attentive.functional as AN


class RegionStatistics(NamedTuple):
    """All (B, C, N) but ``mass`` (B, 1, N)."""

    mass: Tensor
    mean: Tensor
    square: Tensor  # E[V²] of the region
    scale: Tensor  # 1 / sqrt(σ² + eps)

    @classmethod
    def of_sums(cls, mass: Tensor, total: Tensor, square: Tensor, eps: float) -> "RegionStatistics":
        """Of the sums over positions of S, V Sᵀ and V² Sᵀ; overwrites them."""
        mass = mass.clamp_min_(AN.SMALLEST_MASS)
        mean, square = total.div_(mass), square.div_(mass)
        variance = (square - mean * mean).clamp_min_(0)
        return cls(mass, mean, square, torch.rsqrt(variance + eps))

    def affine(self, weight: Tensor | None, bias: Tensor | None) -> tuple[Tensor, Tensor]:
        """A = weight / sqrt(σ² + eps) and D = bias − μ A: the output is V ∘ (A S) + D S."""
        scale = self.scale if weight is None else self.scale * weight.mT
        shift = -self.mean * scale
        return scale, shift if bias is None else shift + bias.mT


class RegionGradients(NamedTuple):
    """What the second backward pass over positions needs, and the gradients that are known before it."""

    scale: Tensor  # A and D times the residual scale ρ
    shift: Tensor
    by_square: Tensor  # of the sum V² Sᵀ
    by_total: Tensor  # of the sum V Sᵀ
    by_mass: Tensor  # (B, N, 1), of the sum of S
    for_residual: Tensor
    for_weight: Tensor | None
    for_bias: Tensor | None

    @classmethod
    def of_sums(
        cls,
        statistics: RegionStatistics,
        residual_scale: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        by_scale: Tensor,
        by_shift: Tensor,
    ) -> "RegionGradients":
        """Of ∂/∂A = (G ∘ V) Sᵀ and ∂/∂D = G Sᵀ, G the output's gradient without the residual scale ρ."""
        scale, shift = statistics.affine(weight, bias)
        for_residual = (scale * by_scale + shift * by_shift).sum().to(residual_scale.dtype)
        by_scale, by_shift = by_scale * residual_scale, by_shift * residual_scale

        by_scale = by_scale - statistics.mean * by_shift
        for_weight = None if weight is None else _summed_like(weight, (by_scale * statistics.scale).mT)
        for_bias = None if bias is None else _summed_like(bias, by_shift.mT)
        by_variance = -0.5 * by_scale * scale * statistics.scale.square()
        # A variance that was raised to 0 does not move.
        by_variance = by_variance * (statistics.square > statistics.mean.square())
        by_mean = -scale * by_shift - 2 * statistics.mean * by_variance
        # μ = V Sᵀ / m and E[V²] = V² Sᵀ / m
        by_total, by_square = by_mean / statistics.mass, by_variance / statistics.mass
        by_mass = -(by_total * statistics.mean + by_square * statistics.square).sum(1)[:, :, None]  # (B, N, 1)
        by_mass = by_mass * (statistics.mass > AN.SMALLEST_MASS).mT
        scale, shift = scale * residual_scale, shift * residual_scale
        return cls(scale, shift, by_square, by_total, by_mass, for_residual, for_weight, for_bias)


def _summed_like(parameter: Tensor, gradient: Tensor) -> Tensor:
    """(B, N, C): the gradient of a parameter of each image; or its sum (N, C) where all images share one."""
    return gradient.sum(0) if parameter.dim() == 2 else gradient

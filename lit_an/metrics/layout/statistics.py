"""Statistics of a semantic layout and of the features it parts, without ground truth."""

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor


class LayoutStatistics(NamedTuple):
    """Numbers of one layout over a batch of images; N regions.

    Attributes:
        usage: (N,), share of all positions that each region holds; ≥ 0, sums to 1.
        effective_regions: scalar in [1, N], exp of the entropy of ``usage``: N where all are used alike, 1 where one
            region has everything.
        effective_regions_per_position: scalar in [1, N], exp of ``position_entropy``: N where the layout is uniform,
            1 where each position belongs to one region.
        position_entropy: scalar in [0, log N], nats, mean entropy of a position's membership.
        region_mean: (N,), mean feature of each region over its positions and the channels, in the features' unit.
        region_spread: (N,), root mean square over channels of the standard deviation inside each region.
    """

    usage: Tensor
    effective_regions: Tensor
    effective_regions_per_position: Tensor
    position_entropy: Tensor
    region_mean: Tensor
    region_spread: Tensor


def layout_statistics(layout: Tensor, features: Tensor) -> LayoutStatistics:
    """Statistics of a layout and of the features it parts.

    "Uniform" is N regions per position and N in mean usage, "collapsed" 1 and 1, "regions" 1 to 3 and many.

    Args:
        layout: (B, N, H, W), ≥ 0, sums to 1 over N; soft region membership.
        features: (B, C, H, W), what the layout was computed from.

    Example:
        >>> import torch
        >>> uniform = torch.full((1, 4, 2, 2), 0.25)
        >>> statistics = layout_statistics(uniform, torch.zeros(1, 3, 2, 2))
        >>> round(float(statistics.effective_regions), 3), round(float(statistics.effective_regions_per_position), 3)
        (4.0, 4.0)
    """
    layout, features = layout.double().flatten(2), features.double().flatten(2)  # (B, N, L), (B, C, L)
    usage = layout.mean(dim=(0, 2))
    position_entropy = entropy(layout, dim=1).mean()
    mass = layout.sum(dim=(0, 2)).clamp_min(1e-12)  # (N,)
    mean = (features @ layout.transpose(1, 2)).sum(0) / mass  # (C, N)
    square = (features.square() @ layout.transpose(1, 2)).sum(0) / mass
    spread = (square - mean.square()).clamp_min(0).mean(0).sqrt()
    return LayoutStatistics(
        usage, entropy(usage, dim=0).exp(), position_entropy.exp(), position_entropy, mean.mean(0), spread
    )


def hole_share_of_regions(layout: Tensor, mask: Tensor) -> Tensor:
    """(N,), in [0, 1]: share of each region inside holes; ``mask.mean()`` is the share expected by chance.

    Args:
        layout: (B, N, h, w), ≥ 0, sums to 1 over N; soft region membership.
        mask: (B, 1, H, W), 1 = hole, at any resolution.

    Example:
        >>> import torch
        >>> layout = torch.tensor([[[[1.0, 0.0]], [[0.0, 1.0]]]])  # one region at the left, one at the right
        >>> hole_share_of_regions(layout, torch.tensor([[[[0.0, 1.0]]]])).tolist()
        [0.0, 1.0]
    """
    hole = F.interpolate(mask.double(), size=layout.shape[2:], mode="area")
    layout = layout.double()
    return (layout * hole).sum(dim=(0, 2, 3)) / layout.sum(dim=(0, 2, 3)).clamp_min(1e-12)


def entropy(probability: Tensor, dim: int) -> Tensor:
    """Entropy of probabilities along a dimension, in nats; 0 log 0 is 0."""
    return -(probability * probability.clamp_min(1e-300).log()).sum(dim)

"""Statistics of a semantic layout, which show whether it is uniform, collapsed or a map of regions."""

from typing import Literal, NamedTuple

import torch
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
    position_entropy = _entropy(layout, dim=1).mean()
    mass = layout.sum(dim=(0, 2)).clamp_min(1e-12)  # (N,)
    mean = (features @ layout.transpose(1, 2)).sum(0) / mass  # (C, N)
    square = (features.square() @ layout.transpose(1, 2)).sum(0) / mass
    spread = (square - mean.square()).clamp_min(0).mean(0).sqrt()
    return LayoutStatistics(
        usage, _entropy(usage, dim=0).exp(), position_entropy.exp(), position_entropy, mean.mean(0), spread
    )


def degeneracy(statistics: LayoutStatistics) -> Literal["uniform", "one region"] | None:
    """What keeps a layout from being a map of regions, if anything does.

    ``uniform``: more than 0.95 N regions at a position, where all regions have the same moments and attentive
    normalization is instance normalization. ``one region``: at most 1.2 regions in use, so that it is instance
    normalization too.

    Args:
        statistics: of the layout.

    Example:
        >>> degeneracy(layout_statistics(torch.full((1, 4, 2, 2), 0.25), torch.zeros(1, 3, 2, 2)))
        'uniform'
    """
    regions = len(statistics.usage)
    if regions > 1 and statistics.effective_regions_per_position > 0.95 * regions:
        return "uniform"
    return "one region" if regions > 1 and statistics.effective_regions <= 1.2 else None


class LayoutAgreement(NamedTuple):
    """How well a layout tells the parts of a known map apart.

    Attributes:
        accuracy: scalar in [0, 1]; share of the positions whose strongest region says what they are, each region
            standing for the part that it meets most often.
        chance: scalar in [0, 1]; the same for a layout of one region: the share of the commonest part.
    """

    accuracy: Tensor
    chance: Tensor


def hole_share_of_regions(layout: Tensor, mask: Tensor) -> Tensor:
    """(N,), in [0, 1]: share of each region inside holes; ``mask.mean()`` is the share expected by chance.

    Args:
        layout: (B, N, h, w), ≥ 0, sums to 1 over N; soft region membership.
        mask: (B, 1, H, W), 1 = hole, at any resolution.

    Example:
        >>> layout = torch.tensor([[[[1.0, 0.0]], [[0.0, 1.0]]]])  # one region at the left, one at the right
        >>> hole_share_of_regions(layout, torch.tensor([[[[0.0, 1.0]]]])).tolist()
        [0.0, 1.0]
    """
    hole = F.interpolate(mask.double(), size=layout.shape[2:], mode="area")
    layout = layout.double()
    return (layout * hole).sum(dim=(0, 2, 3)) / layout.sum(dim=(0, 2, 3)).clamp_min(1e-12)


def layout_agreement(layout: Tensor, parts: Tensor, known: Tensor | None = None) -> LayoutAgreement:
    """Compares the strongest region of each position with ground-truth regions not used in training.

    Args:
        layout: (B, N, h, w), ≥ 0; soft region membership.
        parts: (B, H, W), int64, which part of the truth each pixel belongs to, such as ocean and land; H and W are
            multiples of h and w, and the pixel in the middle of a position stands for it.
        known: (B, 1, H, W), 1 = counts; None counts all pixels.

    Example:
        >>> layout = torch.tensor([[[[0.9, 0.8, 0.2]], [[0.1, 0.2, 0.8]]]])
        >>> agreement = layout_agreement(layout, torch.tensor([[[0, 0, 1]]]))
        >>> float(agreement.accuracy), round(float(agreement.chance), 3)
        (1.0, 0.667)
    """
    size = layout.shape[2:]
    truth = F.interpolate(parts[:, None].double(), size=size, mode="nearest-exact")[:, 0].long()
    strongest = layout.argmax(1)
    if known is not None:
        counted = F.interpolate(known.double(), size=size, mode="nearest-exact")[:, 0] > 0.5
        truth, strongest = truth[counted], strongest[counted]
    number = int(truth.max()) + 1 if truth.numel() else 1
    pairs = strongest.flatten() * number + truth.flatten()
    met = torch.bincount(pairs, minlength=layout.shape[1] * number).view(-1, number).double()  # (N, parts)
    total = met.sum().clamp_min(1)
    return LayoutAgreement(met.amax(1).sum() / total, met.sum(0).amax() / total)


def _entropy(probability: Tensor, dim: int) -> Tensor:
    """In nats; 0 log 0 is 0."""
    return -(probability * probability.clamp_min(1e-300).log()).sum(dim)

"""How much of a layout its position in the image explains: a layout that follows the grid or the border has failed."""

from typing import NamedTuple

import torch
from torch import Tensor

# Enlarging a map by 2 or 4 repeats patterns after so many positions.
_PERIOD = 4


class PositionSums(NamedTuple):
    """Sums over images, from which ``shares_of_position`` computes; those of two batches add up.

    Attributes:
        total: (N, h, w), float64, sum of the memberships at each position.
        square: scalar, float64, sum of their squares over everything.
        images: scalar, int64.
    """

    total: Tensor
    square: Tensor
    images: Tensor


class PositionShares(NamedTuple):
    """Shares of a layout's variance that groups of positions explain, scalars in [0, 1]; smaller is better.

    About 0 for layouts that follow what images show, 1 for one layout that is repeated in all images; NaN for fewer
    than two images.

    Attributes:
        position: each position is a group of its own.
        border: positions equally far from the border are a group.
        grid: positions whose row and column leave the same remainders by 4 are a group.
    """

    position: Tensor
    border: Tensor
    grid: Tensor


def position_sums(layout: Tensor) -> PositionSums:
    """The sums of layouts (B, N, h, w)."""
    layout = layout.double()
    images = torch.tensor(len(layout), device=layout.device)
    return PositionSums(layout.sum(0), layout.square().sum(), images)


def shares_of_position(sums: PositionSums) -> PositionShares:
    """How much of a layout is the same in all images: the adjusted coefficient of determination of position.

    With the memberships x of M images, N regions and L positions, m[n] the mean of region n and m[n, g] that over the
    positions of a group g, R² = Σ (m[n, g] - m[n])² / Σ (x - m[n])², sums over images, regions and positions. Adjusted
    for G groups it is 1 - (1 - R²) (M L - 1) / (M L - G), which is 0 by chance however few the images. Negative values
    become 0, and a layout without variance, uniform or one region, has 0.

    Args:
        sums: of all images.

    Source: Theil, "Economic forecasts and policy", 1961, for the adjustment; without regions as a whole it is
    Kelley's ε² of a one-way analysis of variance.

    Example:
        >>> halves = torch.zeros(2, 2, 8, 8)
        >>> halves[:, 0, :, :4], halves[:, 1, :, 4:] = 1, 1  # left and right, in both images
        >>> float(shares_of_position(position_sums(halves)).position)
        1.0
    """
    total, square, images = sums
    height, width = total.shape[1:]
    count = images.double() * height * width
    mean_part = total.sum((1, 2)).square().sum() / count
    variance = square - mean_part
    row, column = torch.arange(height, device=total.device)[:, None], torch.arange(width, device=total.device)
    border = torch.minimum(torch.minimum(row, height - 1 - row), torch.minimum(column, width - 1 - column))
    groups = (row * width + column, border, row % _PERIOD * _PERIOD + column % _PERIOD)

    def share(group: Tensor) -> Tensor:
        number = int(group.max()) + 1
        sizes = torch.bincount(group.flatten(), minlength=number).double()
        of_group = total.new_zeros(len(total), number).index_add(1, group.flatten(), total.flatten(1))
        explained = (of_group.square() / (images * sizes).clamp_min(1)).sum() - mean_part
        degrees = count - (sizes > 0).sum()
        adjusted = 1 - (1 - explained / variance.clamp_min(1e-300)) * (count - 1) / degrees
        # Rounding of float32 memberships is no variance.
        found = torch.where(variance > 1e-9 * count, adjusted.clamp_min(0), 0.0)
        return torch.where(images > 1, found, torch.nan)

    return PositionShares(*map(share, groups))

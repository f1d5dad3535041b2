"""Joint histograms of two region maps, from which every score of a partition is computed."""

import torch
import torch.nn.functional as F
from torch import Tensor

from lit_an.errors import InputError


def strongest_regions(layout: Tensor) -> Tensor:
    """(B, h, w), int64: the region of largest membership at each position of a layout (B, N, h, w)."""
    return layout.argmax(1)


def at_positions(pixels: Tensor, size: tuple[int, int]) -> Tensor:
    """What the pixel in the middle of each position of a layout has.

    Args:
        pixels: (B, H, W), int64 or bool.
        size: (h, w) of the layout.

    Returns:
        (B, h, w), of the same type.

    Example:
        >>> at_positions(torch.arange(6).view(1, 1, 6), (1, 2)).tolist()
        [[[1, 4]]]
    """
    return F.interpolate(pixels[:, None].double(), size=size, mode="nearest-exact")[:, 0].to(pixels.dtype)


def joint_histogram(first: Tensor, second: Tensor, sizes: tuple[int, int], counted: Tensor | None = None) -> Tensor:
    """How many positions of each image have each pair of regions.

    Args:
        first, second: (B, h, w), int64, regions of two maps, 0 ≤ first < N and 0 ≤ second < K where counted.
        sizes: (N, K).
        counted: (B, h, w), bool, which positions count; None counts all.

    Returns:
        (B, N, K), int64.

    Raises:
        InputError: a region is out of its range.

    Example:
        >>> first, second = torch.tensor([[[0, 0, 1]]]), torch.tensor([[[2, 2, 0]]])
        >>> joint_histogram(first, second, (2, 3)).tolist()
        [[[0, 0, 2], [1, 0, 0]]]
    """
    count, (rows, columns) = len(first), sizes
    image = torch.arange(count, device=first.device)[:, None, None].expand_as(first)
    if counted is not None:
        image, first, second = image[counted], first[counted], second[counted]
    for regions, size in ((first, rows), (second, columns)):
        if regions.numel() and not (int(regions.min()) >= 0 and int(regions.max()) < size):
            raise InputError(
                f"region maps hold the region {int(regions.max() if regions.max() >= size else regions.min())}; "
                f"regions are numbered from 0 to {size - 1} here"
            )
    pairs = (image * rows + first) * columns + second
    return torch.bincount(pairs.flatten(), minlength=count * rows * columns).view(count, rows, columns)

"""Mirrored borders of any width, for maps of any size."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def mirrored(x: Tensor, left: int, right: int, top: int, bottom: int) -> Tensor:
    """A map with its own mirror image beyond each border, the border not repeated.

    PyTorch's ``reflect`` padding must be smaller than the map. Here it may be larger, as a dilation of 16 needs on a
    small map: the mirror image is mirrored again. A map of length 1 is repeated.

    Args:
        x: (B, C, H, W).
        left, right, top, bottom: positions to add, ≥ 0.

    Returns:
        (B, C, top + H + bottom, left + W + right).

    Example:
        >>> mirrored(torch.arange(3.0).view(1, 1, 1, 3), 3, 1, 0, 0).flatten().tolist()
        [1.0, 2.0, 1.0, 0.0, 1.0, 2.0, 1.0]
    """
    height, width = x.shape[2:]
    if max(left, right) < width and max(top, bottom) < height:
        return F.pad(x, (left, right, top, bottom), mode="reflect")
    rows, columns = _mirror_indices(height, top, bottom, x.device), _mirror_indices(width, left, right, x.device)
    return x.index_select(2, rows).index_select(3, columns)


def _mirror_indices(length: int, before: int, after: int, device: torch.device) -> Tensor:
    """Which position each of -before … length + after - 1 shows: a triangle wave of period 2 (length - 1)."""
    last = length - 1
    position = torch.arange(-before, length + after, device=device)
    return last - (position % max(1, 2 * last) - last).abs()


class Mirror(nn.Module):
    """Mirrors a map beyond its borders, ``border`` positions on each side."""

    def __init__(self, border: int) -> None:
        super().__init__()
        self.border = border

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, H + 2·border, W + 2·border)."""
        return mirrored(x, *[self.border] * 4)

    def extra_repr(self) -> str:
        return str(self.border)

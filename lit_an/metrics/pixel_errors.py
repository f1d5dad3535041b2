"""Pixel errors of whole images and of their holes: L1 and PSNR."""

from typing import NamedTuple

import torch
from torch import Tensor

from lit_an.tensors.holes import is_hole

# Identical images have an infinite PSNR, which would make means infinite and is not valid JSON.
HIGHEST_PSNR = 100.0


class PixelErrors(NamedTuple):
    """Errors of each image; all (B,), float64.

    Attributes:
        l1: mean absolute error over pixels and channels, of values in [-1, 1], so in [0, 2]; smaller is better.
            Papers report per cent of the range: 50 times this.
        psnr: 10 log10(2² / mean squared error), in dB, at most 100; larger is better.
        hole_l1, hole_psnr: the same over the pixels of the hole; NaN without a hole.
    """

    l1: Tensor
    psnr: Tensor
    hole_l1: Tensor
    hole_psnr: Tensor


def pixel_errors(image: Tensor, other: Tensor, mask: Tensor) -> PixelErrors:
    """Computes the errors of ``other`` against ``image``.

    Args:
        image, other: (B, C, H, W), in [-1, 1].
        mask: (B, 1, H, W), 1 = hole, 0 = known.

    Example:
        >>> mask = torch.tensor([[[[1.0, 0.0]]]])
        >>> errors = pixel_errors(torch.zeros(1, 3, 1, 2), torch.full((1, 3, 1, 2), 0.2) * mask, mask)
        >>> [round(float(value), 2) for value in errors]
        [0.1, 23.01, 0.2, 20.0]
    """
    difference = other.double() - image.double()
    absolute, square = difference.abs(), difference.square()
    return PixelErrors(
        absolute.mean(dim=(1, 2, 3)),
        psnr(square.mean(dim=(1, 2, 3))),
        hole_mean(absolute, mask),
        psnr(hole_mean(square, mask)),
    )


def psnr(mean_square: Tensor) -> Tensor:
    """In dB, of images in [-1, 1], from their mean squared error; at most 100.

    Example:
        >>> psnr(torch.tensor([4.0, 0.04, 0.0])).tolist()
        [0.0, 20.0, 100.0]
    """
    return (10 * torch.log10(4 / mean_square)).clamp_max(HIGHEST_PSNR)


def hole_mean(values: Tensor, mask: Tensor) -> Tensor:
    """(B,), float64: mean of (B, C, H, W) over channels and the positions of the hole; NaN where there is none."""
    hole = is_hole(mask)
    inside = values.double().mean(1, keepdim=True).where(hole, 0)
    return inside.sum(dim=(1, 2, 3)) / hole.sum(dim=(1, 2, 3))

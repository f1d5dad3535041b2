"""A smooth filling of holes without learning, for a network to start from."""

import torch
import torch.nn.functional as F
from torch import Tensor

from lit_an.tensors.holes import is_hole
from lit_an.tensors.precision import at_least_float32

# Blurs of the hole at each level; without one the squares of the coarser level show, more of them cost more.
_BLURS = 4


@torch.no_grad()
def pyramid_fill(image: Tensor, mask: Tensor) -> Tensor:
    """Continues the known pixels into the hole: wide averages in its middle, narrow ones at its border.

    Pull: halved again and again, each value the mean of the known ones below it, down to one value. Push: back
    to the image's size, bilinear, with what is known at each level put in its place and the rest blurred by 3×3.

    Args:
        image: (B, C, H, W), of any range; what is in the hole does not matter.
        mask: (B, 1, H, W), 1 = hole, 0 = known.

    Returns:
        (B, C, H, W), of the image's type, within the range of the known pixels of each channel; 0 where an image has
        none. Known pixels are the image's bit for bit.

    Source: the pyramids of Gortler et al., "The lumigraph", SIGGRAPH 1996, section 3.4.
    Differs: a value is known or not, without a weight between, and the levels are blurred.

    Example:
        >>> image, mask = torch.tensor([[[[1.0, 9.0, 9.0, 3.0]]]]), torch.tensor([[[[0.0, 1.0, 1.0, 0.0]]]])
        >>> filled = pyramid_fill(image, mask).flatten()
        >>> bool(1 < filled[1] < 2 < filled[2] < 3)
        True
    """
    known = ~is_hole(mask)
    values = at_least_float32(image).where(known, 0)
    levels = []
    while values.shape[-2:] != (1, 1):
        levels.append((values, known))
        values, known = _halved(values, known)
    filled = values
    for values, known in reversed(levels):
        filled = F.interpolate(filled, values.shape[-2:], mode="bilinear", align_corners=False).where(~known, values)
        for _ in range(_BLURS):
            filled = _blurred(_blurred(filled, -1), -2).where(~known, values)
    return filled.to(image.dtype).where(is_hole(mask), image)


def _halved(values: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Means of the known ones of each 2×2 values, 0 where none is, and which of the means are known."""
    share = F.avg_pool2d(known.to(values.dtype), 2, ceil_mode=True)
    return F.avg_pool2d(values, 2, ceil_mode=True) / share.where(share > 0, 1), share > 0


def _blurred(x: Tensor, dimension: int) -> Tensor:
    """The mean of three neighbors; slices are several times as fast as a pooling of three channels."""
    size = x.shape[dimension]
    first, last = x.narrow(dimension, 0, 1), x.narrow(dimension, size - 1, 1)
    padded = torch.cat([first, x, last], dimension)
    return (padded.narrow(dimension, 0, size) + x + padded.narrow(dimension, 2, size)) / 3

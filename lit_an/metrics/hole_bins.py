"""Bins of hole area, the way inpainting is reported: to fill a scratch and to invent half a picture are two tasks."""

import torch
from torch import Tensor

# In per cent of an image; the last one holds all above what papers report.
BIN_NAMES = ("0-10", "10-20", "20-30", "30-40", "40-50", "50-60", "60-100")

# A share that arrives as float32 is off by at most 6e-8; a pixel of a 1024 × 1024 image is 1e-6 of it.
_ROUNDING = 1e-7


def bins_of(share: Tensor) -> Tensor:
    """Which of ``BIN_NAMES`` each hole share falls in; a share on an edge belongs to the bin below.

    Args:
        share: (B,), in [0, 1], holes' share of an image's pixels.

    Returns:
        (B,), int64, in 0..6.

    Source: Liu et al., "Image inpainting for irregular holes using partial convolutions", ECCV 2018, section 4.1:
    (0.01, 0.1], (0.1, 0.2], … (0.5, 0.6].

    Example:
        >>> bins_of(torch.tensor([0.05, 0.1, 0.11, 0.6, 0.61, 1.0])).tolist()
        [0, 0, 1, 5, 6, 6]
    """
    tenth = (10 * (share.double() - _ROUNDING)).ceil().to(torch.int64) - 1
    return tenth.clamp(0, len(BIN_NAMES) - 1)

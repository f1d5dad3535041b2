"""How large holes are, and the bins of hole sizes that inpainting is scored in."""

import torch
from torch import Tensor

# Per cent of the image; the upper border belongs to a bin, the lower one does not.
BINS = ("00-10", "10-20", "20-30", "30-40", "40-50", "50-60")

# A share that float32 rounded up still is at its border; for masks of up to 3000×3000 px nothing else is that near.
_ROUNDING = 1e-7


def hole_share(mask: Tensor) -> Tensor:
    """The share of each mask that is hole.

    Args:
        mask: (B, 1, H, W), 1 = hole, 0 = known.

    Returns:
        (B,), float32 in [0, 1].

    Example:
        >>> hole_share(torch.tensor([[[[0.0, 1.0], [0.0, 0.0]]]])).tolist()
        [0.25]
    """
    return (mask > 0.5).flatten(1).sum(1).float() / mask[0].numel()


def bin_of(share: Tensor) -> Tensor:
    """The number in ``BINS`` of each share: 0 for (0, 0.1], 1 for (0.1, 0.2], …, 5 for (0.5, 0.6].

    Args:
        share: of hole, in [0, 1], any shape.

    Returns:
        int64, of the same shape; -1 for what is in no bin: no hole at all, or more than 60 %.

    Source: Liu et al., ECCV 2018 (arXiv 1804.07723), section 4.1, whose irregular test masks are sorted so.
    Differs: their first bin is (0.01, 0.1]; here it begins at 0, so that every small hole is in it.

    Example:
        >>> [BINS[number] for number in bin_of(torch.tensor([0.05, 0.1, 0.11, 0.6]))]
        ['00-10', '00-10', '10-20', '50-60']
    """
    number = torch.ceil((share.float() - _ROUNDING) * 10).long() - 1
    return torch.where((number < 0) | (number >= len(BINS)), -1, number)

"""How large holes are, and the bins of hole area that inpainting is reported in: to fill a scratch and to invent half a
picture are two tasks."""

import torch
from torch import Tensor

# Per cent of an image; the upper border belongs to a bin, the lower one does not. The last holds all above what papers
# report.
BINS = ("00-10", "10-20", "20-30", "30-40", "40-50", "50-60", "60-100")

# A share that float32 rounded up still is at its border; a pixel of a 1024×1024 image is 1e-6 of it.
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


def bins_of(share: Tensor) -> Tensor:
    """The number in ``BINS`` of each share: 0 up to 0.1, 1 for (0.1, 0.2], …, 5 for (0.5, 0.6], 6 above.

    Args:
        share: of hole, in [0, 1], any shape.

    Returns:
        int64, of the same shape, in 0..6.

    Source: Liu et al., "Image inpainting for irregular holes using partial convolutions", ECCV 2018 (arXiv 1804.07723),
    section 4.1, whose irregular test masks are sorted so.
    Differs: their first bin is (0.01, 0.1]; here every small hole is in it.

    Example:
        >>> [BINS[number] for number in bins_of(torch.tensor([0.05, 0.1, 0.11, 0.6, 0.61]))]
        ['00-10', '00-10', '10-20', '50-60', '60-100']
    """
    tenth = torch.ceil((share.double() - _ROUNDING) * 10).long() - 1
    return tenth.clamp(0, len(BINS) - 1)

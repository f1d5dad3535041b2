"""Holes: which pixels are one, erasing them, filling them, and how large they are.

A mask is (B, 1, H, W), 1 = hole, 0 = known. ``is_hole`` is the one place that says where the border between the two is.
"""

import torch
from torch import Tensor

# Bins of hole area that inpainting is reported in, in per cent of an image: a scratch and half an image are two tasks.
# The upper border belongs to a bin, the lower one does not. The last holds all above what papers report.
BINS = ("00-10", "10-20", "20-30", "30-40", "40-50", "50-60", "60-100")

# A share that float32 rounded up still is at its border; a pixel of a 1024×1024 image is 1e-6 of it.
_ROUNDING = 1e-7


def is_hole(mask: Tensor) -> Tensor:
    """Which pixels of a mask are hole: bool, of the same shape.

    Example:
        >>> is_hole(torch.tensor([0.0, 1.0])).tolist()
        [False, True]
    """
    return mask > 0.5


def weight_of(mask: Tensor) -> Tensor:
    """A mask as a factor: whole numbers and bools become 0 or 1, floats, which may be shares of a hole, stay.

    Example:
        >>> weight_of(torch.tensor([False, True])).tolist(), weight_of(torch.tensor([0.0, 0.25])).tolist()
        ([0.0, 1.0], [0.0, 0.25])
    """
    return mask if mask.is_floating_point() else is_hole(mask).float()


def erase(image: Tensor, mask: Tensor) -> Tensor:
    """The image with 0, gray, in the holes.

    Args:
        image: (B, C, H, W), in [-1, 1].
        mask: (B, 1, H, W), 1 = hole, 0 = known.

    Returns:
        (B, C, H, W), of the image's type; what was in the holes, even an infinity, cannot be known from it.

    Example:
        >>> erase(torch.tensor([[[[-0.5, 0.5]]]]), torch.tensor([[[[0.0, 1.0]]]])).tolist()
        [[[[-0.5, 0.0]]]]
    """
    return image.masked_fill(is_hole(mask), 0.0)


def composite(image: Tensor, prediction: Tensor, mask: Tensor) -> Tensor:
    """The prediction in the holes, the image elsewhere.

    Args:
        image: (B, C, H, W), in [-1, 1], whole or erased.
        prediction: (B, C, H, W), in [-1, 1].
        mask: (B, 1, H, W), 1 = hole, 0 = known.

    Returns:
        (B, C, H, W), of the wider type of the two. Known pixels are the image's bit for bit, which arithmetic such as
        ``image * (1 - mask) + prediction * mask`` does not promise: not for -0, nor beside an infinity.

    Example:
        >>> image, prediction = torch.tensor([[[[0.1, 0.2]]]]), torch.tensor([[[[0.3, 0.4]]]])
        >>> composite(image, prediction, mask=torch.tensor([[[[0.0, 1.0]]]]))
        tensor([[[[0.1000, 0.4000]]]])
    """
    return torch.where(is_hole(mask), prediction, image)


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

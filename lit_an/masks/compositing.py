"""Erasing holes, and putting predictions into them: known pixels stay what they are, bit for bit."""

import torch
from torch import Tensor

from lit_an.errors import InputError


def erase(image: Tensor, mask: Tensor) -> Tensor:
    """The image with 0, grey, in the holes.

    Args:
        image: (B, C, H, W), in [-1, 1].
        mask: (B, 1, H, W), 1 = hole, 0 = known.

    Returns:
        (B, C, H, W), of the image's type; what was in the holes, even an infinity, cannot be known from it.

    Example:
        >>> erase(torch.tensor([[[[-0.5, 0.5]]]]), torch.tensor([[[[0.0, 1.0]]]])).tolist()
        [[[[-0.5, 0.0]]]]
    """
    return image.masked_fill(mask > 0.5, 0.0)


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
    return torch.where(mask > 0.5, prediction, image)


def check_mask(mask: Tensor, name: str = "mask", image: Tensor | None = None) -> None:
    """Says what is wrong with a mask, if anything is.

    It looks at the values and so waits for the device: for borders, where masks come from a user, not for training.

    Args:
        mask: should be (B, 1, H, W), floating point, of 0 = known and 1 = hole.
        name: what the sentence calls it.
        image: (B, C, H, W), what it should fit, if given.

    Raises:
        InputError: another shape or type, other values, or another size than the image.

    Example:
        >>> check_mask(torch.full((1, 1, 2, 2), 255.0))
        Traceback (most recent call last):
        ...
        lit_an.errors.InputError: mask must hold 1 in the hole and 0 elsewhere, got values from 255 to 255
    """
    if mask.ndim != 4 or mask.shape[1] != 1:
        raise InputError(f"{name} must be (B, 1, H, W), got {tuple(mask.shape)}")
    if not mask.is_floating_point():
        raise InputError(f"{name} must be float32, 1 in the hole and 0 elsewhere, got {mask.dtype}")
    if image is not None and (len(mask), *mask.shape[2:]) != (len(image), *image.shape[2:]):
        raise InputError(f"{name} must fit the image {tuple(image.shape)}, got {tuple(mask.shape)}")
    if not ((mask == 0) | (mask == 1)).all():
        least, most = mask.aminmax()
        raise InputError(f"{name} must hold 1 in the hole and 0 elsewhere, got values from {least:g} to {most:g}")

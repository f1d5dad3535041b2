"""Images as an image file holds them."""

from torch import Tensor


def to_pixels(images: Tensor) -> Tensor:
    """Converts images in [-1, 1] to the values of an 8-bit file: whole numbers in 0..255, as float32.

    Example:
        >>> import torch
        >>> to_pixels(torch.tensor([-1.0, 0.0, 1.0])).tolist()
        [0.0, 128.0, 255.0]
    """
    return ((images.float().clamp(-1, 1) + 1) * 127.5).round()

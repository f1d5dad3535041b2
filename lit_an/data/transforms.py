"""From an image file to a tensor: decoding, geometry, range. Pure functions; whatever is random takes a seed."""

import os

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lit_an.errors import InputError
from lit_an.images.color_profiles import as_srgb
from lit_an.images.samples import eight_bits, orientation_of, reason_of, turned
from lit_an.seeds import mix_seed

NOISE = 1  # the part of a draw's seed that its noise is made of


def read_image(path: str | os.PathLike[str], smallest_side: int | None = None) -> Image.Image:
    """The picture in a file as a viewer shows it, in RGB with 8 bits a channel.

    The EXIF orientation is applied, colors of an ICC profile become sRGB, transparent pixels are laid over white, deep
    gray is scaled from its declared depth to 8 bits (not clipped, as Pillow alone would do), and of an animation the
    first frame is taken. See ``lit_an.images.samples`` for what a file declares.

    Args:
        path: a file in any format that Pillow reads.
        smallest_side: the picture will be shrunk to about this many pixels; a JPEG of more than four times that
            is then decoded at 1/2, 1/4 or 1/8 of its size, which is several times faster.

    Raises:
        InputError: a file that is missing, broken or no image, ends before all its pixels are there, or holds samples
            of unknown range; one line that names it.

    Example:
        >>> read_image("1.png")
        Traceback (most recent call last):
        ...
        lit_an.errors.InputError: the image '1.png' cannot be read (No such file or directory); replace or remove it
    """
    try:
        with Image.open(path) as file:
            if smallest_side is not None:
                # Twice the size asked for, so that the antialiased resize still has pixels to average.
                file.draft(None, (2 * smallest_side, 2 * smallest_side))  # type: ignore[no-untyped-call]
            image = _over_white(as_srgb(eight_bits(file), file.info.get("icc_profile")))
            return turned(image, orientation_of(file))
    except Exception as error:  # Pillow's decoders raise nearly anything when a file is broken
        # !r keeps an odd file name on one line: a command line prints the last line of a worker's message.
        raise InputError(
            f"the image {os.fspath(path)!r} cannot be read ({reason_of(error)}); replace or remove it"
        ) from error


def to_tensor(image: Image.Image) -> Tensor:
    """(3, H, W), uint8: the pixels of an RGB image, channels first."""
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()


def to_unit_range(image: Tensor) -> Tensor:
    """Maps uint8 0 … 255 to float32 -1 … 1; any shape.

    Example:
        >>> to_unit_range(torch.tensor([0, 255], dtype=torch.uint8))
        tensor([-1.,  1.])
    """
    return image.float().div_(127.5).sub_(1.0)


def dequantize(image: Tensor, seed: int) -> Tensor:
    """Pixels p of 0 … 255 as (p + u) / 128 - 1, u uniform in [0, 1): values between the steps of 8 bits.

    Args:
        image: float32 in [-1, 1], from ``to_unit_range``; any shape.
        seed: chooses the noise.

    Returns:
        The same shape, float32 in [-1, 1].

    Source: SNGAN-projection's loader of ImageNet (datasets/imagenet.py): x / 128 - 1 and noise of U(0, 1/128).

    Example:
        >>> p = (dequantize(torch.tensor([-1.0, 1.0]), seed=0) + 1) * 128
        >>> p.floor()
        tensor([  0., 255.])
    """
    generator = torch.Generator().manual_seed(mix_seed(seed, NOISE))
    noise = torch.rand(image.shape, generator=generator)
    return (image + 1).mul_(127.5).round_().add_(noise).div_(128).sub_(1)


def flips(seed: int) -> bool:
    """Whether a draw with this seed is mirrored: true for half of all seeds.

    Example:
        >>> flips(1) == flips(1)
        True
    """
    return bool(mix_seed(seed) & 1)


def mirror(x: Tensor) -> Tensor:
    """Mirrors images or region maps, (…, H, W), left to right."""
    return x.flip(-1)


def _over_white(image: Image.Image) -> Image.Image:
    if image.mode not in ("LA", "RGBA"):
        return image.convert("RGB")
    with_alpha = image.convert("RGBA")
    white = Image.new("RGBA", with_alpha.size, "white")
    return Image.alpha_composite(white, with_alpha).convert("RGB")

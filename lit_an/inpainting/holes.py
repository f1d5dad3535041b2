"""Masks from what a person has: a grey picture, a colour painted into the image; checked, and widened."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageColor, ImageOps
from torch import Tensor

from lit_an.errors import InputError

# A grey that is neither black nor white, by this much of the range.
_UNDECIDED = 0.1
_MANY_UNDECIDED = 0.02
_LARGE = 0.8


def mask_in(path: Path, threshold: float = 0.5, inverted: bool = False) -> tuple[Tensor, list[str]]:
    """The mask in a picture file: bright is hole.

    Colours become greys, transparent pixels are laid over black, EXIF's orientation is applied.

    Args:
        path: the file.
        threshold: least brightness of a hole, 0 < threshold ≤ 1.
        inverted: dark is hole.

    Returns:
        (1, 1, H, W), float32, 1 = hole; and notes on what is odd about it.

    Raises:
        InputError: it cannot be read.
    """
    try:
        with Image.open(path) as file:
            grey = _brightness(ImageOps.exif_transpose(file))
    except Exception as error:  # Pillow's decoders raise nearly anything when a file is broken
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise InputError(f"the mask {path} cannot be read ({reason})") from error
    undecided = float(((grey > _UNDECIDED) & (grey < 1 - _UNDECIDED)).mean())
    notes = []
    if undecided > _MANY_UNDECIDED:
        notes.append(f"{undecided:.0%} of the mask {path.name} is grey; from {threshold:g} on it counts as hole")
    hole = (grey < threshold) if inverted else (grey >= threshold)
    return torch.from_numpy(hole.astype(np.float32))[None, None], notes


def check_threshold(threshold: float) -> None:
    """Says what is wrong with a threshold.

    Raises:
        InputError: it is out of range.
    """
    if not 0 < threshold <= 1:
        raise InputError(f"threshold must be above 0 and at most 1, got {threshold}")


def painted(image: Tensor, colour: str, tolerance: int = 16) -> Tensor:
    """The mask of what is painted in one colour.

    Args:
        image: (1, 3, H, W), in [-1, 1].
        colour: such as ``#ff00ff`` or ``magenta``.
        tolerance: largest difference of a channel, in levels of 255.

    Returns:
        (1, 1, H, W), float32, 1 = hole.

    Raises:
        InputError: no such colour.

    Example:
        >>> painted(torch.tensor([1.0, -1.0, 1.0]).view(1, 3, 1, 1), "#ff00ff").item()
        1.0
    """
    try:
        levels = ImageColor.getrgb(colour)[:3]
    except ValueError as error:
        raise InputError(f"--color_key {colour!r} is no colour; write it like '#ff00ff' or magenta") from error
    key = torch.tensor(levels, dtype=torch.float32).view(1, 3, 1, 1)
    difference = ((image + 1) * 127.5 - key).abs().amax(dim=1, keepdim=True)
    return (difference <= tolerance + 1e-3).float()


def widened(mask: Tensor, pixels: int) -> Tensor:
    """Holes grown by so many pixels in each direction, corners included.

    Example:
        >>> widened(torch.eye(5)[None, None] * 0 + F.pad(torch.ones(1, 1, 1, 1), [2, 2, 2, 2]), 1).sum().item()
        9.0
    """
    if pixels == 0:
        return mask
    side = 2 * pixels + 1
    grown = F.max_pool2d(mask, (side, 1), stride=1, padding=(pixels, 0))
    return F.max_pool2d(grown, (1, side), stride=1, padding=(0, pixels))


def check_against(mask: Tensor, size: tuple[int, int], name: str) -> list[str]:
    """Whether a mask goes with an image of that size.

    Args:
        mask: (1, 1, H, W), 1 = hole.
        size: height and width of the upright image.
        name: of the mask, for sentences.

    Returns:
        Notes on what is odd about it.

    Raises:
        InputError: another size, or nothing known.
    """
    height, width = mask.shape[-2:]
    if (height, width) != size:
        turned = "; the picture is turned by its EXIF orientation, and masks go with it as viewers show it"
        raise InputError(
            f"{name} is {width}×{height} px, but the picture {size[1]}×{size[0]}"
            f"{turned if (width, height) == size else ''}; make them the same size"
        )
    share = float(mask.mean())
    if share == 1:
        raise InputError(f"{name} makes all of the picture a hole; if dark is meant to be the hole, say --inverted")
    return [f"{share:.0%} of the picture is hole; if dark is meant to be the hole, say --inverted"] * (share > _LARGE)


def _brightness(picture: Image.Image) -> np.ndarray:
    """(H, W), float32, 0 … 1."""
    if picture.mode.startswith("I"):
        return (np.asarray(picture).astype(np.float32) / 65535).clip(0, 1)
    if picture.mode == "F":
        samples = np.asarray(picture)
        return samples.clip(0, 1) if samples.max(initial=0) <= 1 else (samples / 255).clip(0, 1)
    if "transparency" in picture.info or picture.mode in ("LA", "PA", "RGBA", "La", "RGBa"):
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "black"), picture)
    return np.asarray(picture.convert("L")).astype(np.float32) / 255

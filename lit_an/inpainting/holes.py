"""Masks from black-and-white files or from a color painted into an image, with checks and dilation."""

import re
from pathlib import Path

import torch
from PIL import ImageColor
from torch import Tensor

from lit_an.errors import InputError
from lit_an.masks.from_files import dilated, read_levels

# Grays between these shares of white are edges of a brush; a larger share than this suggests a wrong file.
_DARK, _BRIGHT = 0.1, 0.9
_MANY_GRAYS = 0.02
_LARGE = 0.8
# Largest value that a lossy format may give to black.
_NEARLY_BLACK = 0.04


def mask_in(path: Path, threshold: float = 0.5, inverted: bool = False) -> tuple[Tensor, list[str]]:
    """The mask in a picture file: bright is hole.

    Args:
        path: see ``lit_an.masks.from_files.read_levels``.
        threshold: what is brighter than this share of white is hole, 0 ≤ threshold < 1.
        inverted: whether dark pixels are hole instead.

    Returns:
        (1, 1, H, W), float32, 1 = hole; and notes on unusual values.

    Raises:
        InputError: see ``lit_an.masks.from_files.read_levels``, or nothing is brighter than the threshold and yet not
            all of it is black.
    """
    levels = read_levels(path)
    hole = levels.hole(threshold, inverted)
    brightest = int(levels.pixels.max(initial=0))
    if not levels.hole(threshold).any() and brightest > 255 * _NEARLY_BLACK:
        raise InputError(
            f"the mask {path} has nothing brighter than {threshold:g} of white: its brightest pixel is {brightest} of "
            f"255; save it in black and white, or lower --threshold"
        )
    grays = float((levels.hole(_DARK) & ~levels.hole(_BRIGHT)).mean())
    notes = [f"{grays:.0%} of the mask {path.name} is gray; what is brighter than {threshold:g} of white counts"]
    notes *= grays > _MANY_GRAYS
    notes += [f"the brightest pixel of the mask {path.name} is {brightest} of 255"] * (
        0 < brightest <= 255 * _NEARLY_BLACK
    )
    notes += [f"the mask {path.name} has the values 0 and 1 alone: 1 was taken for white"] * levels.binary
    return torch.from_numpy(hole).float()[None, None], notes


def check_threshold(threshold: float) -> None:
    """Checks a threshold.

    Raises:
        InputError: it is out of range.
    """
    if not 0 <= threshold < 1:
        raise InputError(f"threshold must be at least 0 and below 1, got {threshold}")


def levels_of(color: str) -> tuple[int, ...]:
    """Red, green and blue, 0 … 255, of a color such as ``ff00ff``, ``#ff00ff`` or ``magenta``.

    Raises:
        InputError: no such color.

    Example:
        >>> levels_of("ff00ff") == levels_of("#ff00ff") == levels_of("magenta") == (255, 0, 255)
        True
    """
    # A shell takes # for a comment.
    written = f"#{color}" if re.fullmatch(r"[0-9a-fA-F]{6}", color) else color
    try:
        return ImageColor.getrgb(written)[:3]
    except ValueError as error:
        raise InputError(f"--color_key {color!r} is not a color; write it like ff00ff or magenta") from error


def painted(image: Tensor, levels: tuple[int, ...], tolerance: int = 16) -> Tensor:
    """The mask of the pixels painted in one color.

    Args:
        image: (1, 3, H, W), in [-1, 1].
        levels: of the color.
        tolerance: largest difference of a channel, in levels of 255.

    Returns:
        (1, 1, H, W), float32, 1 = hole.

    Example:
        >>> painted(torch.tensor([1.0, -1.0, 1.0]).view(1, 3, 1, 1), levels_of("#ff00ff")).item()
        1.0
    """
    key = torch.tensor(levels, dtype=torch.float32).view(1, 3, 1, 1)
    difference = ((image + 1) * 127.5 - key).abs().amax(dim=1, keepdim=True)
    return (difference <= tolerance + 1e-3).float()


def dilate_holes(mask: Tensor, pixels: int) -> Tensor:
    """Holes (1, 1, H, W) dilated by a number of pixels in each direction, corners included.

    Example:
        >>> dilate_holes(torch.tensor([[[[0.0, 0.0, 0.0, 1.0]]]]), 1).tolist()
        [[[[0.0, 0.0, 1.0, 1.0]]]]
    """
    return torch.from_numpy(dilated(mask[0, 0].numpy() > 0, pixels)).float()[None, None] if pixels else mask


def check_against(mask: Tensor, size: tuple[int, int], name: str, inverted: bool = False) -> list[str]:
    """Checks a mask against the size of its image.

    Args:
        mask: (1, 1, H, W), 1 = hole.
        size: height and width of the upright image.
        name: of the mask, for sentences.
        inverted: whether dark was taken for the hole.

    Returns:
        Notes on an unusual mask.

    Raises:
        InputError: another size, or nothing known.
    """
    height, width = mask.shape[-2:]
    if (height, width) != size:
        turned = "; turned it would fit, but masks go with pictures as viewers show them"
        raise InputError(
            f"{name} is {width}×{height} px, but the picture {size[1]}×{size[0]}"
            f"{turned if (width, height) == size else ''}; make them the same size"
        )
    share = float(mask.mean())
    bright, remedy = ("bright", "omit") if inverted else ("dark", "say")
    otherwise = f"if {bright} is meant to be the hole, {remedy} --inverted"
    if share == 1:
        raise InputError(f"{name} makes all of the picture a hole; {otherwise}")
    return [f"{name} makes {share:.0%} of the picture a hole; {otherwise}"] * (share > _LARGE)

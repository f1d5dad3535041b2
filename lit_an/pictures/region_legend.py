"""The legend of a region panel: color, number, share and scale of each region, and the numbers on its maps."""

from collections.abc import Callable

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from lit_an.pictures.letters import font_of, line_height, width_of
from lit_an.pictures.region_colors import region_palette

_DARK = 140  # luminance up to which white text is read better than black


def legend(share: Tensor, largest: Tensor, width: int) -> Tensor:
    """An entry for each region: its number on its color, its share of the positions, the scale of its map.

    Args:
        share: (N,), of all positions, 0 to 1; a region with 0 has an empty entry.
        largest: (N,), what is white in its map.
        width: px of an entry.

    Returns:
        (N, 3, height, width), uint8.
    """
    size = _size(width)
    shape = (width, 2 * line_height(size) + 2)

    def entry(draw: ImageDraw.ImageDraw, region: int) -> None:
        if share[region] > 0:
            right = _chip(draw, region, size)
            draw.text((right + 4, 1), _percent(float(share[region])), fill="black", font=font_of(size))
            draw.text(
                (0, line_height(size) + 1), f"0 to {float(largest[region]):.2g}", fill="black", font=font_of(size)
            )

    return torch.stack([_drawn(Image.new("RGB", shape, "white"), entry, region) for region in range(len(share))])


def numbered(maps: Tensor, shown: Tensor) -> Tensor:
    """Soft maps with the number of their region on its color in a corner; white in the place of those not shown.

    Args:
        maps: (N, h, w), uint8.
        shown: (N,), bool.

    Returns:
        (N, 3, h, w), uint8.
    """
    size = _size(maps.shape[-1])
    pictures = []
    for region, (pixels, is_shown) in enumerate(zip(maps, shown.tolist(), strict=True)):
        picture = Image.fromarray(pixels.contiguous().numpy()).convert("RGB")
        if not is_shown:
            picture.paste("white", (0, 0, *picture.size))
        pictures.append(_drawn(picture, lambda draw, n: _chip(draw, n, size), region if is_shown else None))
    return torch.stack(pictures)


def _size(width: int) -> int:
    """Height of letters for a map of this width: ``15  100 %`` fits."""
    return max(8, round(0.17 * width))


def _chip(draw: ImageDraw.ImageDraw, region: int, size: int) -> int:
    """Draws a region's number on its color in the upper left corner; returns the right border."""
    color = tuple(region_palette(region + 1)[-1].tolist())
    dark = 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2] <= _DARK
    right = width_of(str(region), size) + 4
    draw.rectangle((0, 0, right, line_height(size)), fill=color)
    draw.text((2, 1), str(region), fill="white" if dark else "black", font=font_of(size))
    return right


def _percent(share: float) -> str:
    """A share that is not 0, in per cent.

    Example:
        >>> _percent(0.236), _percent(0.001)
        ('24 %', '<1 %')
    """
    return f"{100 * share:.0f} %" if share >= 0.005 else "<1 %"


def _drawn(picture: Image.Image, draw: Callable[[ImageDraw.ImageDraw, int], object], region: int | None) -> Tensor:
    """(3, h, w), uint8: a picture on which something is drawn for a region, if there is one."""
    if region is not None:
        draw(ImageDraw.Draw(picture), region)
    pixels = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8)
    return pixels.view(picture.height, picture.width, 3).permute(2, 0, 1)

"""Tables of pictures with captions: names of rows and columns, a footer. Nothing of them is cut."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from lit_an.pictures.letters import broken, font_of, line_height, width_of, writable

_GAP = 2  # px between pictures
_MARGIN = 6  # px between text and what is beside it
_WHITE, _BLACK, _GRAY = (255, 255, 255), (0, 0, 0), (90, 90, 90)


class Table(NamedTuple):
    """Pictures in rows and columns.

    Attributes:
        rows: the pictures of each row, (3, h, w), uint8; those of a column are equally wide.
        row_names: at the left of each row, or nothing.
        heads: above each column: text, or a picture (3, h, w) of its width; or nothing.
        footer: below all, or nothing.
    """

    rows: Sequence[Sequence[Tensor]]
    row_names: Sequence[str] = ()
    heads: Sequence[str | Tensor] = ()
    footer: str = ""


def text_size(width: int) -> int:
    """Height of letters, px, that can be read at the size of a picture ``width`` px wide."""
    return max(12, round(0.11 * width))


def composed(table: Table) -> Tensor:
    """A table as one picture.

    Letters grow with the first picture. Names are broken into lines, and a row grows with its name.

    Returns:
        (3, height, width), uint8.
    """
    first = table.rows[0][0].shape[-1]
    size = text_size(first)
    names = [broken(writable(name), first, size) for name in table.row_names]
    left = max((width_of(line, size) + _MARGIN + _GAP for lines in names for line in lines), default=0)
    widths = [picture.shape[-1] for picture in table.rows[0]]
    places = [left + sum(widths[:column]) + _GAP * column for column in range(len(widths))]
    width = places[-1] + widths[-1]
    heads = [
        head if isinstance(head, Tensor) else broken(writable(head), width, size)
        for head, width in zip(table.heads, widths, strict=bool(table.heads))
    ]
    footer = broken(writable(table.footer), width - _MARGIN, size) if table.footer else []
    top = max((_height(head, size) + 2 * _GAP for head in heads), default=0)
    heights = [
        max(*(picture.shape[1] for picture in row), _height(lines, size))
        for row, lines in zip(table.rows, names or [[]] * len(table.rows), strict=True)
    ]
    # A name that is higher than its row keeps clear of the next one.
    below = top + sum(heights) + _GAP * (len(heights) - 1)
    canvas = Image.new("RGB", (width, below + (_height(footer, size) + _MARGIN if footer else 0)), _WHITE)
    draw = ImageDraw.Draw(canvas)
    for head, place, wide in zip(heads, places, widths, strict=False):
        if isinstance(head, Tensor):
            canvas.paste(_image(head), (place, top - _GAP - head.shape[1]))
        else:
            _write(draw, head, place + wide // 2, top - _GAP - _height(head, size), size, "ma")
    for number, (row, height) in enumerate(zip(table.rows, heights, strict=True)):
        for picture, place in zip(row, places, strict=True):
            canvas.paste(_image(picture), (place, top))
        if names:
            middle = top + (height - _height(names[number], size)) // 2
            _write(draw, names[number], left - _MARGIN, middle, size, "ra")
        top += height + _GAP
    _write(draw, footer, left, below + _MARGIN // 2, size, "la", _GRAY)
    pixels = torch.frombuffer(bytearray(canvas.tobytes()), dtype=torch.uint8)
    return pixels.view(canvas.height, width, 3).permute(2, 0, 1).contiguous()


def _height(part: Tensor | Sequence[str], size: int) -> int:
    return int(part.shape[1]) if isinstance(part, Tensor) else len(part) * line_height(size)


def _write(
    draw: ImageDraw.ImageDraw,
    lines: Sequence[str],
    x: int,
    y: int,
    size: int,
    anchor: str,
    color: tuple[int, int, int] = _BLACK,
) -> None:
    for number, line in enumerate(lines):
        draw.text((x, y + number * line_height(size)), line, fill=color, font=font_of(size), anchor=anchor)


def _image(picture: Tensor) -> Image.Image:
    return Image.fromarray(picture.permute(1, 2, 0).contiguous().numpy())

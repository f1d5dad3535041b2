"""Text for pictures, in the font that comes with Pillow: widths, line breaks, and what the font cannot write."""

import functools
import unicodedata
from collections.abc import Iterator

from PIL import ImageFont


@functools.cache
def font_of(size: int) -> ImageFont.FreeTypeFont:
    """Pillow's own font (Aileron).

    Args:
        size: px.
    """
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow is built with FreeType"
    return font


def line_height(size: int) -> int:
    """Pixels from one line to the next."""
    return round(1.3 * size)


def width_of(text: str, size: int) -> int:
    """Pixels that a line takes."""
    return -(-int(64 * font_of(size).getlength(text)) // 64)


def writable(text: str) -> str:
    """Text in letters that the font has.

    A letter with an accent loses it if the font lacks it; any other character becomes an escape.

    Example:
        >>> writable("Köln, 猫")
        'Koln, \\\\u732b'
    """
    return "".join(map(_writable, text))


def broken(text: str, width: int, size: int) -> list[str]:
    """Text as lines that fit a width: broken at its line breaks, at spaces, and in the middle of what is longer.

    Nothing is cut away.

    Args:
        text: as ``writable`` returns it.
        width: px; a line has at least one letter, whatever its width.
        size: px.

    Example:
        >>> broken("a long name", 40, 12)
        ['a long', 'name']
    """
    lines = []
    for part in text.split("\n"):
        line = ""
        for word in part.split(" "):
            longer = f"{line} {word}" if line else word
            if width_of(longer, size) <= width:
                line = longer
                continue
            if line:
                lines.append(line)
            *full, line = _pieces(word, width, size)
            lines += full
        lines.append(line)
    return lines


def _pieces(word: str, width: int, size: int) -> Iterator[str]:
    """A word in pieces that fit; the last may be empty."""
    piece = ""
    for letter in word:
        if piece and width_of(piece + letter, size) > width:
            yield piece
            piece = ""
        piece += letter
    yield piece


@functools.cache
def _writable(letter: str) -> str:
    if letter == "\n" or _has(letter):
        return letter
    bases = [part for part in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(part)]
    if bases and all(map(_has, bases)):
        return "".join(bases)
    return letter.encode("unicode_escape").decode()


def _has(letter: str) -> bool:
    # What the font lacks is drawn as one and the same box.
    font = font_of(16)
    return bytes(font.getmask(letter)) != bytes(font.getmask("\uffff")) and letter.isprintable()

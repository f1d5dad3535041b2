"""Holes at the border: an unknown frame around the known pixels, and an unknown half."""

from typing import Literal, get_args

import numpy as np

from lit_an.errors import InputError
from lit_an.masks.base import HoleShape, check_between, check_order, pixels_of

Side = Literal["left", "right", "top", "bottom"]


class Border(HoleShape):
    """Outpainting: a known rectangle in an unknown frame whose four sides are of random widths.

    Args:
        min_width: least width of a side of the frame, of the image's side, 0 ≤ min_width ≤ max_width.
        max_width: largest width, below 1/2.
        side_probability: probability of each side of the frame; there is always at least one.

    Raises:
        InputError: values out of their range.

    Source: the range of widths is that of the outpainting masks in LaMa's published code (arXiv 2109.07161).
    Differs: all four sides are there; those of LaMa are with a chance of 1/2 each (``side_probability=0.5``).

    Example:
        >>> Border(min_width=0.25, max_width=0.25).draw(4, 4, seed=0)[0].int().tolist()
        [[1, 1, 1, 1], [1, 0, 0, 1], [1, 0, 0, 1], [1, 1, 1, 1]]
    """

    def __init__(self, min_width: float = 0.04, max_width: float = 0.25, side_probability: float = 1.0) -> None:
        self.min_width, self.max_width, self.side_probability = min_width, max_width, side_probability
        check_between(self, 0, 1, min_width=min_width)
        check_order(self, min_width=min_width, max_width=max_width)
        if not 0 < max_width < 0.5:
            raise InputError(f"Border: max_width must be above 0 and below 0.5, got {max_width}")
        check_between(self, 0, 1, side_probability=side_probability)

    def paint(self, height: int, width: int, seed: int, index: int | None) -> np.ndarray:
        random = np.random.default_rng(seed)
        there = random.random(4) < self.side_probability
        there[random.integers(4)] |= not there.any()
        top, bottom, left, right = (
            self._width(random, size) if is_there else 0
            for is_there, size in zip(there, (height, height, width, width), strict=True)
        )
        hole = np.ones((height, width), dtype=bool)
        hole[top : height - bottom, left : width - right] = False
        return hole

    def _width(self, random: np.random.Generator, size: int) -> int:
        least, most = (max(1, pixels_of(share, size)) for share in (self.min_width, self.max_width))
        return int(random.integers(least, most + 1))


class Half(HoleShape):
    """One half of the image; the smaller part for an odd number of rows or columns.

    Args:
        side: which half is the hole; ``random`` takes one of the four.

    Raises:
        InputError: an unknown side.

    Example:
        >>> Half(side="left").draw(2, 5, seed=0)[0].int().tolist()
        [[1, 1, 0, 0, 0], [1, 1, 0, 0, 0]]
    """

    def __init__(self, side: Literal["left", "right", "top", "bottom", "random"] = "random") -> None:
        self.side = side
        if side not in (*get_args(Side), "random"):
            raise InputError(f"Half: side must be left, right, top, bottom or random, got {side!r}")

    def paint(self, height: int, width: int, seed: int, index: int | None) -> np.ndarray:
        sides = get_args(Side)
        side = sides[np.random.default_rng(seed).integers(4)] if self.side == "random" else self.side
        rows, columns = {
            "left": (slice(None), slice(0, width // 2)),
            "right": (slice(None), slice(width - width // 2, None)),
            "top": (slice(0, height // 2), slice(None)),
            "bottom": (slice(height - height // 2, None), slice(None)),
        }[side]
        hole = np.zeros((height, width), dtype=bool)
        hole[rows, columns] = True
        return hole

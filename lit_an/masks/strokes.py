"""LaMa's random holes, thin, medium and thick: a few bent strokes, or a few boxes."""

from typing import Literal, NamedTuple

import numpy as np

from lit_an.errors import InputError
from lit_an.masks.base import HoleShape, check_between, scale_of
from lit_an.masks.brush import BrushStrokes, paint_strokes

# Least length and width of a segment, published for 256×256.
_LEAST_LENGTH, _LEAST_WIDTH, _MOST_SEGMENTS = 10, 5, 5

# Unit moves x + iy at 0.01, 1.01, 2.01 and 3.01 radians from downwards to the right; every other stroke goes left.
_DIRECTIONS = np.sin(np.arange(4) + 0.01) + 1j * np.cos(np.arange(4) + 0.01)


class PublishedStrokes(NamedTuple):
    """Parameters of LaMa's evaluation masks of 256×256, in pixels.

    Attributes:
        strokes: least and largest number of strokes.
        lengths: how many lengths a segment may have, from 10 on.
        widths: how many widths a segment may have, from 5 on.
        box_weight: weight of boxes, against 1 for strokes.
        boxes: least and largest number of boxes.
        sides: least and largest side of a box.
        margin: distance of boxes from the border.
    """

    strokes: tuple[int, int]
    lengths: int
    widths: int
    box_weight: float = 0.0
    boxes: tuple[int, int] = (1, 1)
    sides: tuple[int, int] = (1, 1)
    margin: int = 0


# The largest number of strokes is one more than the key max_times says: the published code adds one.
PUBLISHED = {
    "thin": PublishedStrokes(strokes=(4, 51), lengths=40, widths=10),
    "medium": PublishedStrokes((4, 6), lengths=100, widths=50, box_weight=0.3, boxes=(1, 5), sides=(10, 50)),
    "thick": PublishedStrokes(
        (1, 6), lengths=200, widths=100, box_weight=0.3, boxes=(1, 3), sides=(30, 150), margin=10
    ),
}


class Strokes(HoleShape):
    """Bent strokes of a brush or, with a chance of 0.3 / 1.3 unless thin, boxes, as LaMa is evaluated with.

    The published pixels are those of 256×256 and are scaled with the shorter side.

    ======  =======  ==========  =========  =====  =========
    kind    strokes  length, px  width, px  boxes  sides, px
    ======  =======  ==========  =========  =====  =========
    thin    4 … 51   10 … 49     5 … 14     none
    medium  4 … 6    10 … 109    5 … 54     1 … 5  10 … 50
    thick   1 … 6    10 … 209    5 … 104    1 … 3  30 … 150
    ======  =======  ==========  =========  =====  =========

    A stroke has 1 to 5 segments; length, width and one of four directions are drawn for each. The published code
    trains on ``Strokes("thick", max_share=1, box_probability=0.5)``, but for a fourth box.

    Args:
        thickness: thin, medium or thick.
        max_share: larger holes are drawn again, as for the published sets; 1 keeps them all.
        box_probability: the chance of boxes instead of strokes, 0 to 1; None is the published one.

    Raises:
        InputError: an unknown thickness, values out of their range, or boxes for thin, which has none.

    Source: LaMa (Suvorov et al., WACV 2022, arXiv 2109.07161): its published code,
    ``configs/data_gen/random_*_256.yaml`` and ``saicinpainting/training/data/masks.py``.
    Differs: other sizes are scaled; the published sets of 512×512 also have other numbers of strokes. Masks fill the
    image; the published ones are cut out of larger ones where photographs are not square.

    Example:
        >>> thin, thick = (Strokes(kind, max_share=1.0) for kind in ("thin", "thick"))
        >>> mean = lambda shape: sum(float(shape.draw(64, 64, seed).mean()) for seed in range(50)) / 50
        >>> mean(thin) < mean(thick)
        True
    """

    def __init__(
        self,
        thickness: Literal["thin", "medium", "thick"] = "medium",
        max_share: float = 0.5,
        box_probability: float | None = None,
    ) -> None:
        if thickness not in PUBLISHED:
            raise InputError(f"Strokes: thickness must be {', '.join(PUBLISHED)}, got {thickness!r}")
        self.thickness, self.max_share, self.box_probability = thickness, max_share, box_probability
        if max_share <= 0:
            raise InputError(f"Strokes: max_share must be above 0, got {max_share}")
        check_between(self, 0, 1, max_share=max_share)
        self.largest_share = max_share
        self._published = PUBLISHED[thickness]
        published = self._published.box_weight / (1 + self._published.box_weight)
        self._box_probability = published if box_probability is None else box_probability
        check_between(self, 0, 1 if published else 0, box_probability=self._box_probability)

    def paint(self, height: int, width: int, seed: int, index: int | None) -> np.ndarray:
        random = np.random.default_rng(seed)
        if random.random() < self._box_probability:
            return self._boxes(random, height, width)
        return self._strokes(random, height, width)

    def _boxes(self, random: np.random.Generator, height: int, width: int) -> np.ndarray:
        hole, scale = np.zeros((height, width), dtype=bool), scale_of(height, width)
        margin = round(scale * self._published.margin)
        for _ in range(random.integers(*self._published.boxes, endpoint=True)):
            rows, columns = (self._box_side(random, size, margin, scale) for size in (height, width))
            hole[rows, columns] = True
        return hole

    def _box_side(self, random: np.random.Generator, size: int, margin: int, scale: float) -> slice:
        least, most = (max(1, round(scale * side)) for side in self._published.sides)
        most = max(1, min(most, size - 2 * margin))
        side = int(random.integers(min(least, most), most, endpoint=True))
        start = int(random.integers(margin, max(margin, size - margin - side), endpoint=True))
        return slice(start, start + side)

    def _strokes(self, random: np.random.Generator, height: int, width: int) -> np.ndarray:
        scale, strokes = scale_of(height, width), int(random.integers(*self._published.strokes, endpoint=True))
        across, down = random.random((2, strokes))
        start = across * width + 1j * down * height
        segments = random.integers(1, _MOST_SEGMENTS + 1, strokes)
        upper = (len(_DIRECTIONS), self._published.lengths, self._published.widths)
        turn, length, thickness = random.integers(0, np.array(upper)[:, None, None], (3, strokes, _MOST_SEGMENTS))
        moves = scale * (_LEAST_LENGTH + length) * _DIRECTIONS[turn]
        moves[::2].real *= -1  # every other stroke turns to the left
        widths = scale * (_LEAST_WIDTH + thickness)
        return paint_strokes(height, width, BrushStrokes(start, moves, widths, segments), width + 1j * height)

"""Rectangular holes: at a random place, as DeepFill, GMCNN and AN train with, and in the middle."""

import numpy as np

from lit_an.errors import InputError
from lit_an.masks.base import HoleShape, check_between, pixels_of


class Rectangle(HoleShape):
    """A rectangle at a random place, shrunk at random.

    All arguments are shares of the image's side. The defaults are those of the papers at 256×256: a rectangle of
    128×128 px, each of whose sides then loses an even number of pixels, 0 to 32, half of them at either end. So sides
    are 96 to 128 px, and holes 14 to 25 % of the image.

    Args:
        height, width: before shrinking, above 0 and at most 1.
        max_shrink: what a side may lose, of the image's side; at most the smaller of ``height`` and ``width``.
        margin: always known at each border.

    Raises:
        InputError: values out of their range, or a rectangle with margins that is larger than the image.

    Source: options and masks of the published code of AN (Wang et al., CVPR 2020) and GMCNN (arXiv 1810.08771), which
    have them from DeepFill (Yu et al., arXiv 1801.07892).
    Differs: the last possible row and column are drawn too; there an exclusive bound leaves them out.

    Example:
        >>> mask = Rectangle().draw(256, 256, seed=0)
        >>> 96 <= mask.amax(2).sum() <= 128
        tensor(True)
    """

    def __init__(self, height: float = 0.5, width: float = 0.5, max_shrink: float = 0.125, margin: float = 0.0) -> None:
        self.height, self.width, self.max_shrink, self.margin = height, width, max_shrink, margin
        _check_sides(self, height, width)
        check_between(self, 0, min(height, width), max_shrink=max_shrink)
        check_between(self, 0, (1 - max(height, width)) / 2, margin=margin)

    def paint(self, height: int, width: int, seed: int, index: int | None) -> np.ndarray:
        random = np.random.default_rng(seed)
        hole = np.zeros((height, width), dtype=bool)
        hole[self._rows(random, self.height, height), self._rows(random, self.width, width)] = True
        return hole

    def _rows(self, random: np.random.Generator, share: float, size: int) -> slice:
        side, margin = max(1, pixels_of(share, size)), pixels_of(self.margin, size)
        start = int(random.integers(margin, max(margin, size - margin - side) + 1))
        inset = int(random.integers(0, min(pixels_of(self.max_shrink, size), side - 1) // 2 + 1))
        return slice(start + inset, start + side - inset)


class Center(HoleShape):
    """A rectangle in the middle, always the same.

    Args:
        height, width: shares of the image's side, above 0 and at most 1; the defaults are the 128×128 px of a 256×256
            image that papers since Context Encoders (Pathak et al., arXiv 1604.07379) test with.

    Raises:
        InputError: values out of their range.

    Example:
        >>> Center(height=1.0).draw(2, 4, seed=0)[0].int().tolist()
        [[0, 1, 1, 0], [0, 1, 1, 0]]
    """

    def __init__(self, height: float = 0.5, width: float = 0.5) -> None:
        self.height, self.width = height, width
        _check_sides(self, height, width)

    def paint(self, height: int, width: int, seed: int, index: int | None) -> np.ndarray:
        rows, columns = max(1, pixels_of(self.height, height)), max(1, pixels_of(self.width, width))
        top, left = (height - rows) // 2, (width - columns) // 2
        hole = np.zeros((height, width), dtype=bool)
        hole[top : top + rows, left : left + columns] = True
        return hole


def _check_sides(shape: HoleShape, height: float, width: float) -> None:
    for name, share in (("height", height), ("width", width)):
        if not 0 < share <= 1:
            raise InputError(f"{type(shape).__name__}: {name} must be above 0 and at most 1, got {share}")
    if height == width == 1:
        raise InputError(f"{type(shape).__name__}: height and width are both 1, so that nothing would be known")

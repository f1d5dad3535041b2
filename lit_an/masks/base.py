"""Base of hole shapes: functions from a size and a seed to a mask that is neither empty nor full."""

import inspect
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lit_an.errors import InputError
from lit_an.seeds import mix_seed

# A shape that fails with a chance of 1/2 fails as often as this once in 10^30.
ATTEMPTS = 100

# The papers' pixels are those of images of this side.
PUBLISHED_SIZE = 256


class HoleShape(ABC):
    """A kind of hole, drawn at random.

    A subclass implements ``paint``. It keeps each argument of its constructor as an attribute of the same name, so that
    a fixed set of masks can record them, and has no state, so that all processes draw the same masks.

    Attributes:
        largest_share: holes of a larger share of the image are drawn again.
    """

    largest_share: float = 1.0

    @abstractmethod
    def paint(self, height: int, width: int, seed: int, index: int | None) -> np.ndarray:
        """(height, width), bool, True in the hole; a function of the arguments alone.

        It may rarely return an empty or full mask: ``draw`` then calls it again with another seed.
        """

    def draw(self, height: int, width: int, seed: int, index: int | None = None) -> Tensor:
        """(1, height, width), float32, 1 = hole, 0 = known: a function of the arguments alone.

        There is at least one pixel of either kind. It is painted with the seed ``mix_seed(seed, attempt)``, attempt 0;
        a mask without one, or with more hole than ``largest_share``, is painted again with attempt 1, 2, …

        Args:
            height, width: in pixels.
            seed: chooses the mask; any integer.
            index: number of the image in a fixed order (validation, test), or None in training; a shape of files
                takes the file of that number, other shapes ignore it.

        Raises:
            InputError: the shape cannot be drawn at that size.

        Example:
            >>> from lit_an.masks.rectangle import Center
            >>> Center().draw(4, 4, seed=0)[0].int().tolist()
            [[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
        """
        for attempt in range(ATTEMPTS):
            hole = self.paint(height, width, mix_seed(seed, attempt), index)
            assert hole.shape == (height, width)
            assert hole.dtype == np.bool_
            share = np.count_nonzero(hole) / hole.size
            if 0 < share < 1 and share <= self.largest_share:
                return torch.from_numpy(hole.astype(np.float32))[None]
        most = "" if self.largest_share == 1 else f" or of more than {self.largest_share:.0%}"
        raise InputError(
            f"{self!r} gave a hole of nothing, of everything{most} {ATTEMPTS} times at {height}×{width} px; give it "
            f"other arguments or a larger image"
        )

    def description(self) -> dict[str, Any]:
        """The class and its arguments, for JSON: what determines the masks, apart from size and seed."""
        arguments = {name: _plain(getattr(self, name)) for name in inspect.signature(type(self)).parameters}
        return {"class": f"{type(self).__module__}.{type(self).__qualname__}", **arguments}

    def __repr__(self) -> str:
        values = (f"{name}={getattr(self, name)!r}" for name in inspect.signature(type(self)).parameters)
        return f"{type(self).__name__}({', '.join(values)})"


def _plain(value: Any) -> Any:
    if isinstance(value, HoleShape):
        return value.description()
    return [_plain(item) for item in value] if isinstance(value, list) else value


def check_between(shape: HoleShape, least: float, most: float, **values: float) -> None:
    """Raises InputError unless each of the named values is from ``least`` to ``most``."""
    for name, value in values.items():
        if not least <= value <= most:
            limits = f"at least {least}" if most == float("inf") else f"from {least} to {most}"
            raise InputError(f"{type(shape).__name__}: {name} must be {limits}, got {value}")


def check_order(shape: HoleShape, **values: float) -> None:
    """Raises InputError unless the first of two named values is at most the second."""
    (smaller, least), (larger, most) = values.items()
    if least > most:
        raise InputError(f"{type(shape).__name__}: {smaller} must be at most {larger}, got {least} and {most}")


def pixels_of(share: float, size: int) -> int:
    """A share of a side in whole pixels, rounded down: a share below 1 never is the whole side.

    Example:
        >>> pixels_of(0.5, 37), pixels_of(0.29, 100)
        (18, 29)
    """
    return int(share * size + 1e-9)  # 0.29 · 100 is 28.999…


def scale_of(height: int, width: int) -> float:
    """Pixels here for one pixel of an image of the published size: by the shorter side."""
    return min(height, width) / PUBLISHED_SIZE

"""Sources of holes: mask files, a color painted into the picture, random shapes."""

import hashlib
import os
from pathlib import Path
from typing import NamedTuple, Protocol

from torch import Tensor

from lit_an.errors import InputError
from lit_an.inpainting.holes import check_against, dilate_holes, levels_of, mask_in, painted
from lit_an.inpainting.pairing import Masks
from lit_an.masks.base import HoleShape
from lit_an.seeds import mix_seed


class Hole(NamedTuple):
    """A mask and its origin.

    Attributes:
        mask: (1, 1, H, W), float32, 1 = hole; upright, as viewers show the picture.
        origin: for the report.
        notes: remarks on unusual masks.
    """

    mask: Tensor
    origin: str
    notes: list[str]


class HoleSource(Protocol):
    """Provides the hole of each picture."""

    def of(self, picture: Path, index: int, image: Tensor) -> Hole:
        """The hole of a picture.

        Args:
            picture: its path, relative to the folder of pictures.
            index: its number among all of them.
            image: (1, 3, H, W), in [-1, 1], upright.

        Raises:
            InputError: no hole fits the picture.
        """
        ...


class HolesFromFiles:
    """Mask files; see ``lit_an.inpainting.pairing.Masks`` for which and ``holes.mask_in`` for how they are read."""

    def __init__(self, masks: Masks, threshold: float = 0.5, inverted: bool = False) -> None:
        self.masks, self.threshold, self.inverted = masks, threshold, inverted

    def of(self, picture: Path, index: int, image: Tensor) -> Hole:
        path = self.masks.of(picture)
        mask, notes = mask_in(path, self.threshold, self.inverted)
        notes += check_against(mask, _size(image), f"the mask {path}", self.inverted)
        return Hole(mask, str(path), notes)


class HolesFromColor:
    """Pixels painted in one color are hole.

    Raises:
        InputError: no such color, or a tolerance out of range; later: all of a picture is in that color.
    """

    def __init__(self, color: str, tolerance: int = 16) -> None:
        if not 0 <= tolerance <= 255:
            raise InputError(f"tolerance must be from 0 to 255, got {tolerance}")
        self.color, self.levels, self.tolerance = color, levels_of(color), tolerance

    def of(self, picture: Path, index: int, image: Tensor) -> Hole:
        mask = painted(image, self.levels, self.tolerance)
        if mask.all():
            raise InputError(f"all of it is in the color {self.color}; choose another --color_key")
        return Hole(mask, f"the color {self.color}", [])


class HolesFromShape:
    """A shape drawn for each picture, a function of the seed and the picture's name; mask files go by number."""

    def __init__(self, shape: HoleShape, seed: int = 0) -> None:
        self.shape, self.seed = shape, seed

    def of(self, picture: Path, index: int, image: Tensor) -> Hole:
        named = int.from_bytes(hashlib.sha256(os.fsencode(picture.as_posix())).digest()[:7], "big")
        mask = self.shape.draw(*_size(image), mix_seed(self.seed, named), index)
        return Hole(mask[None], repr(self.shape), [])


class DilatedHoles:
    """The holes of another source, dilated.

    Raises:
        InputError: a negative number of pixels; later: nothing is left known.
    """

    def __init__(self, source: HoleSource, pixels: int) -> None:
        if pixels < 0:
            raise InputError(f"dilate must be at least 0, got {pixels}")
        self.source, self.pixels = source, pixels

    def of(self, picture: Path, index: int, image: Tensor) -> Hole:
        hole = self.source.of(picture, index, image)
        mask = dilate_holes(hole.mask, self.pixels)
        if mask.all():
            raise InputError(
                f"its hole, dilated by {self.pixels} px, covers the whole picture; choose a smaller --dilate"
            )
        return hole._replace(mask=mask)


def _size(image: Tensor) -> tuple[int, int]:
    return image.shape[-2], image.shape[-1]

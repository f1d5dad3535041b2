"""Photographs by their number, from wherever they are: what a data module for inpainting cuts its images from."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from PIL import Image
from torch import Tensor

from lit_an.data.listing import PackedPaths
from lit_an.data.transforms import read_image
from lit_an.data.walking import LeftOut


class Photo(NamedTuple):
    """One photograph.

    Attributes:
        image: RGB, of any size; or, where the pixels are at hand, (3, H, W), uint8.
        regions: of the same height and width, ground-truth region of each pixel, or None where there is none.
    """

    image: Image.Image | Tensor
    regions: np.ndarray | None = None


class Photos(Protocol):
    """The photographs of a split."""

    def __len__(self) -> int: ...

    def name(self, index: int) -> str:
        """What tables call a photograph: its path below the folder, or a number; no two are called alike."""
        ...

    def file(self, index: int) -> Path | None:
        """The file that holds nothing but this photograph, if there is one."""
        ...

    def photo(self, index: int, smallest_side: int) -> Photo:
        """A photograph, which may be shrunk to about ``smallest_side``; raises InputError if it cannot be read."""
        ...


class PhotoFiles:
    """Image files, decoded when they are asked for.

    Args:
        folder: what the paths are relative to.
        paths: of the files.
        left_out: what lies there and is not taken.
    """

    def __init__(self, folder: Path, paths: Sequence[str], left_out: LeftOut = LeftOut()) -> None:  # noqa: B008, it is a tuple
        self.folder, self.paths, self.left_out = folder, PackedPaths(paths), left_out

    def __len__(self) -> int:
        return len(self.paths)

    def name(self, index: int) -> str:
        return self.paths[index]

    def file(self, index: int) -> Path:
        return self.folder / self.paths[index]

    def photo(self, index: int, smallest_side: int) -> Photo:
        return Photo(read_image(self.file(index), smallest_side))

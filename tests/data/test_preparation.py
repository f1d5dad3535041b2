"""Making shards: the same bytes however they are made, going on after a stop, what happens to odd files."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import lit_an.data.preparation as preparation
from lit_an.data import EarthTiles, ImageNet, Prepared
from lit_an.data.manifest import Recipe
from lit_an.data.preparation import Outcome, prepare
from lit_an.data.sources import Source, TileSource, open_source
from lit_an.errors import InputError
from tests.photographs import WNIDS, add_odd_but_sound, break_some

pytest.importorskip("streaming")

RECIPE = Recipe(16, "raw", 95, images_per_shard=5)


@pytest.fixture
def root(imagenet: Path) -> Path:
    return imagenet


def done(root: Path, out: Path, recipe: Recipe = RECIPE, **kwargs: float) -> Outcome:
    return prepare(open_source(str(root), recipe.image_size), out, recipe, **kwargs)  # type: ignore[arg-type]


def hash_of(outcome: Outcome) -> str:
    assert outcome.manifest is not None, outcome.complaint
    return str(outcome.manifest["content_hash"])


def contents(out: Path) -> dict[str, bytes]:
    """All files that a reader sees."""
    files = [path for path in out.rglob("*") if path.is_file() and path.parent.name != ".finished"]
    return {str(path.relative_to(out)): path.read_bytes() for path in files}


def test_shards_hold_what_the_folder_holds(root: Path, tmp_path: Path) -> None:
    outcome = done(root, tmp_path / "out")
    assert (outcome.pictures, outcome.failed) == (48, 0)
    for split in ("train", "val"):
        folder = ImageNet(root, 16).dataset(split)  # type: ignore[arg-type]
        shards = Prepared(tmp_path / "out", 16).dataset(split)  # type: ignore[arg-type]
        assert len(folder) == len(shards)  # type: ignore[arg-type]
        for index in range(len(folder)):  # type: ignore[arg-type]
            assert torch.equal(folder[index].image, shards[index].image)
            assert folder[index].label == shards[index].label


def test_the_manifest_says_what_there_is(root: Path, tmp_path: Path) -> None:
    manifest = done(root, tmp_path / "out").manifest
    assert manifest is not None
    assert manifest["class_names"] == list(WNIDS)
    train = manifest["splits"]["train"]
    assert (train["images"], train["images_of_class"]) == (36, [12, 12, 12])
    assert [shard["samples"] for shard in train["shards"]] == [5] * 7 + [1]
    assert manifest["preprocessing"] == {
        "crop": "centre square of the short side",
        "resize": "Lanczos, antialiased",
        "image_size": 16,
        "format": "raw",
    }
    assert manifest["in_two_splits"] == {"train and val": 0}


def test_the_bytes_do_not_depend_on_processes(root: Path, tmp_path: Path) -> None:
    one, three = done(root, tmp_path / "one", num_workers=1), done(root, tmp_path / "three", num_workers=3)
    assert hash_of(one) == hash_of(three)
    shutil.move(root, tmp_path / "moved")
    done(tmp_path / "moved", tmp_path / "again")
    assert contents(tmp_path / "one") == contents(tmp_path / "three") == contents(tmp_path / "again")


@pytest.mark.parametrize(
    "other",
    [Recipe(8, "raw", 95, 5), Recipe(16, "png", 95, 5), Recipe(16, "jpeg", 95, 5), Recipe(16, "jpeg", 80, 5)],
)
def test_another_recipe_is_another_hash(root: Path, tmp_path: Path, other: Recipe) -> None:
    assert hash_of(done(root, tmp_path / "a")) != hash_of(done(root, tmp_path / "b", other))


def test_a_changed_picture_is_another_hash(root: Path, tmp_path: Path) -> None:
    before = hash_of(done(root, tmp_path / "a"))
    Image.new("RGB", (40, 40), "red").save(root / "train" / WNIDS[0] / "train_003.JPEG")
    assert hash_of(done(root, tmp_path / "b")) != before


def test_what_is_finished_is_not_done_again(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two shards are lost or damaged: only those are made, and the end is the same."""
    out = tmp_path / "out"
    expected = hash_of(done(root, out))
    (out / "train" / "shard.00003.mds").unlink()
    damaged = bytearray((out / "val" / "shard.00001.mds").read_bytes())
    damaged[-1] ^= 1
    (out / "val" / "shard.00001.mds").write_bytes(damaged)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.mds")}
    assert hash_of(done(root, out)) == expected
    after = {path: path.stat().st_mtime_ns for path in out.rglob("*.mds")}
    made = sorted(str(path.relative_to(out)) for path, time in after.items() if before.get(path) != time)
    assert made == ["train/shard.00003.mds", "val/shard.00001.mds"]


def test_a_stop_in_the_middle_of_a_shard_leaves_no_half(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = hash_of(done(root, tmp_path / "whole"))
    source, out = open_source(str(root), 16), tmp_path / "out"
    key = preparation._claim(out, source, RECIPE)
    encode, calls = preparation.encode, []

    def stopped(*arguments: object) -> bytes:
        calls.append(1)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return encode(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(preparation, "encode", stopped)
    first, second, *_ = preparation.jobs_of(source, RECIPE)
    preparation.make(first, source.splits[first.split], out, RECIPE, key)
    with pytest.raises(KeyboardInterrupt):
        preparation.make(second, source.splits[second.split], out, RECIPE, key)
    monkeypatch.undo()
    assert [path.name for path in out.rglob("*.mds")] == ["shard.00000.mds"]
    assert not (out / "manifest.json").exists()
    assert hash_of(done(root, out)) == expected


def test_odd_files_are_converted_and_counted(root: Path, tmp_path: Path) -> None:
    odd = add_odd_but_sound(root)
    assert done(root, tmp_path / "out").failed == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["converted"] == dict.fromkeys(sorted(odd), 1)
    assert report["failed"] == []
    folder, shards = ImageNet(root, 16).dataset("train"), Prepared(tmp_path / "out", 16).dataset("train")
    assert len(shards) == 36 + len(odd)  # type: ignore[arg-type]
    assert all(torch.equal(folder[index].image, shards[index].image) for index in range(len(shards)))  # type: ignore[arg-type]


def test_broken_files_are_listed_and_left_out(root: Path, tmp_path: Path) -> None:
    broken = break_some(root)
    (root / "train" / WNIDS[2] / "notes.txt").write_text("mine")
    outcome = done(root, tmp_path / "out", max_failed=0.1)
    assert outcome.failed == len(broken) == 4
    assert outcome.manifest is not None
    assert outcome.manifest["splits"]["train"]["images_of_class"] == [12, 12, 12]
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert sorted(row["file"] for row in report["failed"]) == [str(path) for path in broken]
    reasons = {Path(row["file"]).stem: row["reason"] for row in report["failed"]}
    assert "truncated" in reasons["bad_cut"]
    assert "floating-point" in reasons["bad_float"]
    assert reasons["bad_empty"] == reasons["bad_page"] == "not an image, or of an unknown format"
    assert report["passed_over"] == [str(root / "train" / WNIDS[2] / "notes.txt")]


def test_too_many_broken_files_are_a_no_until_the_threshold_is_raised(root: Path, tmp_path: Path) -> None:
    break_some(root)
    outcome = done(root, tmp_path / "out", max_failed=0.07)
    assert outcome.manifest is None
    assert outcome.complaint.startswith("4 of 52 images cannot be read, more than max_failed=0.07 allows")
    assert not (tmp_path / "out" / "manifest.json").exists()
    assert done(root, tmp_path / "out", max_failed=0.08).manifest is not None


def test_a_class_that_loses_all_its_images_is_named(root: Path, tmp_path: Path) -> None:
    for path in (root / "train" / WNIDS[1]).iterdir():
        path.write_bytes(b"")
    complaint = done(root, tmp_path / "out", max_failed=1.0).complaint
    assert complaint.startswith(f"no readable image of the class '{WNIDS[1]}' is left in 'train'")


def test_an_image_in_two_splits_is_counted(root: Path, tmp_path: Path) -> None:
    shutil.copy(root / "train" / WNIDS[0] / "train_001.JPEG", root / "val" / WNIDS[2] / "val_001.JPEG")
    manifest = done(root, tmp_path / "out").manifest
    assert manifest is not None
    assert manifest["in_two_splits"] == {"train and val": 1}


def test_earth_tiles_keep_their_regions(few_tiles: EarthTiles, tmp_path: Path) -> None:
    whole = few_tiles.dataset("val")
    few = TileSource(whole)  # type: ignore[arg-type]
    labels = torch.tensor(few.labels)
    few.tiles.positions = few.tiles.positions[[int((labels == label).nonzero()[0]) for label in range(6)]]
    prepare(Source(few_tiles.class_names, {"train": few, "val": few}, []), tmp_path / "out", Recipe(32, "png"))
    shards = Prepared(tmp_path / "out", 32).dataset("val")
    for index in range(6):
        for ours, theirs in zip(shards[index], whole[index], strict=True):
            assert torch.equal(ours, theirs)


def test_folders_and_values_that_cannot_be(root: Path, tmp_path: Path, image_folder: Path) -> None:
    done(root, tmp_path / "out")
    for arguments, sentence in (
        ((root, tmp_path / "out", Recipe(8)), "holds shards of the same pictures with other options"),
        ((image_folder, tmp_path / "out", RECIPE), "holds shards of others"),
        ((root, root, RECIPE), "holds other files; choose an empty or a new one"),
        ((root, tmp_path / "new", Recipe(0)), "image_size must be at least 1, got 0"),
        ((root, tmp_path / "new", Recipe(8, "gif")), "format must be one of jpeg, png, raw, got 'gif'"),
        ((root, tmp_path / "new", Recipe(8, "jpeg", 0)), "quality must be between 1 and 100, got 0"),
    ):
        with pytest.raises(InputError, match=sentence):
            prepare(open_source(str(arguments[0]), 16), arguments[1], arguments[2])
    with pytest.raises(InputError, match="max_failed must be between 0 and 1, got 2"):
        done(root, tmp_path / "new", max_failed=2)
    with pytest.raises(InputError, match="classes and val_labels are for ImageNet's layout"):
        open_source(str(image_folder), 16, classes=2)
    assert not (tmp_path / "new").exists()


def test_the_engine_reads_the_folder_by_itself(root: Path, tmp_path: Path) -> None:
    """The index beside the shards is the engine's own: nothing of ours is needed to get the data back."""
    from streaming.base.format import reader_from_json

    done(root, tmp_path / "out")
    index = json.loads((tmp_path / "out" / "val" / "index.json").read_text())
    reader = reader_from_json(str(tmp_path / "out" / "val"), None, index["shards"][0])
    pixels = np.frombuffer(reader[0]["image"], dtype=np.uint8).reshape(3, 16, 16)
    expected = ImageNet(root, 16).dataset("val")[0].image
    assert torch.equal(torch.from_numpy(pixels.copy()).float() / 127.5 - 1, expected)

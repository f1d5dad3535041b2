"""Preparing into a folder that something is in already: what was made of changed files is made again."""

import os
import resource
import shutil
import signal
from pathlib import Path

import pytest
from PIL import Image

import cli
from lit_an.data.preparation import plan_of, prepare
from lit_an.data.shards.manifest import Recipe
from lit_an.data.sources import Photographs, Prepared
from lit_an.data.sources.base import FilePictures, Picture
from lit_an.data.sources.detection import source_at
from lit_an.errors import InputError
from tests.photo_folders import make_classes, make_photographs, write
from tests.photographs import WNIDS

pytest.importorskip("pyarrow")

RECIPE = Recipe(16, images_per_shard=5)


def hash_of(root: Path, out: Path, max_failed: float = 0.0) -> str:
    outcome = prepare(plan_of(source_at(root), 16), out, RECIPE, max_failed=max_failed)
    assert outcome.manifest is not None, outcome.complaint
    return str(outcome.manifest["content_hash"])


def times(out: Path) -> dict[str, int]:
    return {str(path.relative_to(out)): path.stat().st_mtime_ns for path in out.rglob("*.arrow")}


def test_a_picture_replaced_in_place_is_made_again(imagenet: Path, tmp_path: Path) -> None:
    """By one of the same size, with the same times."""
    path = imagenet / "train" / WNIDS[1] / "train_003.bmp"
    Image.new("RGB", (20, 20), "red").save(path)
    before = hash_of(imagenet, tmp_path / "out")
    status, made = path.stat(), times(tmp_path / "out")
    Image.new("RGB", (20, 20), "blue").save(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert path.stat().st_size == status.st_size
    after = hash_of(imagenet, tmp_path / "out")
    assert after != before
    assert after == hash_of(imagenet, tmp_path / "fresh")
    now = times(tmp_path / "out")
    assert sum(now[name] != made[name] for name in made) == 1


def test_pictures_that_were_only_touched_are_not(imagenet: Path, tmp_path: Path) -> None:
    hash_of(imagenet, tmp_path / "out")
    made = times(tmp_path / "out")
    moved = shutil.copytree(imagenet, tmp_path / "moved")
    hash_of(moved, tmp_path / "out")
    assert times(tmp_path / "out") == made


def test_a_mended_file_is_tried_again(imagenet: Path, tmp_path: Path) -> None:
    path = imagenet / "train" / WNIDS[0] / "train_001.JPEG"
    whole = path.read_bytes()
    expected = hash_of(imagenet, tmp_path / "fresh")
    path.unlink()
    path.symlink_to(tmp_path / "gone.JPEG")
    before = hash_of(imagenet, tmp_path / "out", max_failed=0.1)
    assert hash_of(imagenet, tmp_path / "out", max_failed=0.1) == before != expected
    (tmp_path / "gone.JPEG").write_bytes(whole)
    assert hash_of(imagenet, tmp_path / "out") == expected


def test_a_file_whose_reader_was_missing_is_tried_again(
    imagenet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its bytes are the same, but it can be read now."""
    plan, expected = plan_of(source_at(imagenet), 16), hash_of(imagenet, tmp_path / "fresh")
    split, picture = plan.splits["train"], plan.splits["train"].picture

    def without_reader(index: int, smallest_side: int | None = None) -> object:
        if index == 7:
            raise InputError("the image 'x' cannot be read (unknown format); replace or remove it")
        return picture(index, smallest_side)

    monkeypatch.setattr(split, "picture", without_reader)
    assert prepare(plan, tmp_path / "out", RECIPE, max_failed=0.1).failed == 1
    monkeypatch.undo()
    assert hash_of(imagenet, tmp_path / "out") == expected


def test_there_is_no_manifest_of_what_is_being_replaced(imagenet: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    hash_of(imagenet, out)
    Image.new("RGB", (40, 40), "red").save(imagenet / "train" / WNIDS[0] / "train_003.JPEG")
    outcome = prepare(plan_of(source_at(imagenet), 16), out, RECIPE)
    assert outcome.manifest is not None
    for path in (imagenet / "val").rglob("*.JPEG"):
        path.write_bytes(b"")
    assert prepare(plan_of(source_at(imagenet), 16), out, RECIPE).manifest is None
    assert not (out / "manifest.json").exists()


@pytest.mark.parametrize("content", ["", "[]", "{", "null"])
def test_a_damaged_plan_is_said(imagenet: Path, tmp_path: Path, content: str) -> None:
    hash_of(imagenet, tmp_path / "out")
    (tmp_path / "out" / "plan.json").write_text(content)
    with pytest.raises(InputError, match=r"plan.json' is not one that prepare wrote, .* remove the folder '.*out' or"):
        hash_of(imagenet, tmp_path / "out")


@pytest.mark.parametrize("content", ["", "[]", "{}", "null", '{"entry": 3}'])
def test_a_damaged_record_is_made_again(imagenet: Path, tmp_path: Path, content: str) -> None:
    expected = hash_of(imagenet, tmp_path / "out")
    for record in (tmp_path / "out" / ".finished").iterdir():
        record.write_text(content)
    (tmp_path / "out" / "manifest.json").write_text(content)
    assert hash_of(imagenet, tmp_path / "out") == expected


def test_a_file_in_the_way_is_said(imagenet: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "file" / "out"):
        with pytest.raises(
            InputError, match=r"file.* cannot be written \((File exists|Not a directory)\); .*another folder"
        ):
            hash_of(imagenet, out)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_full_disk_is_said_and_what_is_finished_is_kept(imagenet: Path, tmp_path: Path) -> None:
    expected = hash_of(imagenet, tmp_path / "fresh")
    # The limit is that of the processes that write; Python ignores the signal, so that writing fails as on a full disk.
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, hard))
    try:
        with pytest.raises(InputError, match=r"out.* cannot be written \(.*File too large\); make room, or"):
            hash_of(imagenet, tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in (tmp_path / "out").rglob("*")] == ["plan.json"]
    assert hash_of(imagenet, tmp_path / "out") == expected


def test_there_is_no_manifest_after_too_many_failures(imagenet: Path, tmp_path: Path) -> None:
    (imagenet / "train" / WNIDS[0] / "train_001.JPEG").write_bytes(b"")
    hash_of(imagenet, tmp_path / "out", max_failed=0.5)
    assert prepare(plan_of(source_at(imagenet), 16), tmp_path / "out", RECIPE).manifest is None
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_shards_of_other_pictures_with_the_same_names_are_not_replaced(tmp_path: Path) -> None:
    first = make_classes(tmp_path / "first", ("cat", "dog"), 4)
    expected, made = hash_of(first, tmp_path / "out"), times(tmp_path / "out")
    other = shutil.copytree(first, tmp_path / "other")
    write(other / "dog" / "02.png", 200)
    with pytest.raises(
        InputError,
        match=r"out' holds shards of other pictures of the same names, those in '.*first'; choose another fo",
    ):
        hash_of(other, tmp_path / "out")
    assert times(tmp_path / "out") == made
    assert hash_of(first, tmp_path / "out") == expected
    # The source itself, moved and changed.
    shutil.rmtree(first)
    assert hash_of(other, tmp_path / "out") != expected


class Deadly(FilePictures):
    """Pictures of which the last ends the process that reads it, as the system does when memory is short."""

    def picture(self, index: int, smallest_side: int | None = None) -> Picture:
        if index == len(self) - 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().picture(index, smallest_side)


def test_a_process_that_the_system_kills_is_said_and_what_is_finished_is_kept(tmp_path: Path) -> None:
    source = Photographs(make_photographs(tmp_path / "root", 12), val_fraction=0.5)
    plan = plan_of(source, 16)
    pictures = source.open("val", 16)
    deadly = plan._replace(splits={**plan.splits, "val": Deadly(pictures.folder, list(pictures.paths))})
    recipe = RECIPE._replace(images_per_shard=3)
    with pytest.raises(
        InputError, match=r"^prepare: one of its processes was killed, perhaps for lack of memory; make num_wo"
    ):
        prepare(deadly, tmp_path / "out", recipe)
    made = times(tmp_path / "out")
    assert made
    assert prepare(plan, tmp_path / "out", recipe).manifest is not None
    assert made.items() < times(tmp_path / "out").items()


def test_a_folder_whose_name_is_no_text(tmp_path: Path) -> None:
    out = tmp_path / os.fsdecode(b"\xe4")
    root = make_classes(tmp_path / "root", ("cat", "dog"), 4)
    assert cli.main(["prepare", f"--source={root}", f"--out={out}", "--image_size=16", "--num_workers=1"]) == 0
    for cache in (None, tmp_path / os.fsdecode(b"\xf6")):
        assert Prepared(out, cache).open("train", 16).picture(0).image.shape == (3, 16, 16)  # type: ignore[union-attr]

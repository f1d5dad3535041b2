"""Making shards: the same bytes however they are made, going on after a stop, what happens to odd files."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

import lit_an.data.preparation.plan as plans
import lit_an.data.preparation.shard_making as shard_making
from lit_an.data.cropping import Cropping
from lit_an.data.preparation import plan_of, prepare
from lit_an.data.preparation.outcome import Outcome
from lit_an.data.shards.manifest import Recipe
from lit_an.data.sources import ImageNet, Prepared
from lit_an.data.sources.detection import source_at
from lit_an.errors import InputError
from tests.photographs import WNIDS, add_odd_but_sound, break_some

pytest.importorskip("pyarrow")

RECIPE = Recipe(16, images_per_shard=5)


# Of the validation images of the folder that many tests share: their split, paths and labels, fixed for good.
LISTING = "282291eeb4b73348"


@pytest.fixture
def root(imagenet: Path) -> Path:
    return imagenet


def done(root: Path, out: Path, recipe: Recipe = RECIPE, **kwargs: float) -> Outcome:
    return prepare(plan_of(source_at(root), recipe.image_size), out, recipe, **kwargs)  # type: ignore[arg-type]


def hash_of(outcome: Outcome) -> str:
    assert outcome.manifest is not None, outcome.complaint
    return str(outcome.manifest["content_hash"])


def contents(out: Path) -> dict[str, bytes]:
    """All files that a reader sees."""
    files = [path for path in out.rglob("*") if path.is_file() and path.parent.name != ".finished"]
    return {str(path.relative_to(out)): path.read_bytes() for path in files}


def test_the_manifest_says_what_there_is(root: Path, tmp_path: Path) -> None:
    manifest = done(root, tmp_path / "out").manifest
    assert manifest is not None
    assert manifest["class_names"] == list(WNIDS)
    train = manifest["splits"]["train"]
    assert (train["images"], train["images_of_class"]) == (36, [12, 12, 12])
    assert [shard["images"] for shard in train["shards"]] == [5] * 7 + [1]
    assert manifest["preprocessing"] == {
        "crop": "center square of the short side",
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


def test_what_is_finished_is_not_done_again(root: Path, tmp_path: Path) -> None:
    """Two shards are lost or damaged: only those are made, and the end is the same."""
    out = tmp_path / "out"
    expected = hash_of(done(root, out))
    (out / "train" / "00003.arrow").unlink()
    damaged = bytearray((out / "val" / "00001.arrow").read_bytes())
    damaged[-1] ^= 1
    (out / "val" / "00001.arrow").write_bytes(damaged)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.arrow")}
    assert hash_of(done(root, out)) == expected
    after = {path: path.stat().st_mtime_ns for path in out.rglob("*.arrow")}
    made = sorted(str(path.relative_to(out)) for path, time in after.items() if before.get(path) != time)
    assert made == ["train/00003.arrow", "val/00001.arrow"]


def test_a_stop_in_the_middle_of_a_shard_leaves_no_half(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = hash_of(done(root, tmp_path / "whole"))
    plan, out = plan_of(source_at(root), 16), tmp_path / "out"
    key = plans.claim_folder(out, plan, RECIPE)
    encode, calls = shard_making.encode, []

    def stopped(*arguments: object) -> bytes:
        calls.append(1)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return encode(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(shard_making, "encode", stopped)
    first, second, *_ = plans.jobs_of(plan, RECIPE)
    shard_making.make(first, plan.splits[first.split], out, RECIPE, key)
    with pytest.raises(KeyboardInterrupt):
        shard_making.make(second, plan.splits[second.split], out, RECIPE, key)
    monkeypatch.undo()
    assert [path.name for path in out.rglob("*.arrow")] == ["00000.arrow"]
    assert not (out / "manifest.json").exists()
    assert hash_of(done(root, out)) == expected


def test_odd_files_are_converted_and_counted(root: Path, tmp_path: Path) -> None:
    odd = add_odd_but_sound(root)
    assert done(root, tmp_path / "out").failed == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["converted"] == dict.fromkeys(sorted(odd), 1)
    assert report["failed"] == []
    folder, shards = (source.open("train", 16) for source in (ImageNet(root), Prepared(tmp_path / "out")))
    assert len(shards) == len(folder) == 36 + len(odd)
    for index in range(len(shards)):
        expected, found = (Cropping(16).cut(*pictures.picture(index), None)[0] for pictures in (folder, shards))
        assert torch.equal(expected, found)


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


def test_folders_and_values_that_cannot_be(root: Path, tmp_path: Path, image_folder: Path) -> None:
    done(root, tmp_path / "out")
    for arguments, sentence in (
        ((root, tmp_path / "out", Recipe(8)), "holds shards of the same pictures with other options"),
        ((image_folder, tmp_path / "out", RECIPE), "holds shards of others"),
        ((root, root, RECIPE), "holds other files; choose an empty or a new one"),
        ((root, tmp_path / "new", Recipe(8, images_per_shard=0)), "images_per_shard must be at least 1, got 0"),
        ((root, tmp_path / "new", Recipe(0)), "image_size must be at least 1, got 0"),
        ((root, tmp_path / "new", Recipe(8, "gif")), "format must be one of jpeg, png, raw, got 'gif'"),
        ((root, tmp_path / "new", Recipe(8, "jpeg", 0)), "quality must be between 1 and 100, got 0"),
    ):
        with pytest.raises(InputError, match=sentence):
            done(arguments[0], arguments[1], arguments[2])
    with pytest.raises(InputError, match="max_failed must be between 0 and 1, got 2"):
        done(root, tmp_path / "new", max_failed=2)
    with pytest.raises(InputError, match="num_workers must be at least 1, got 0"):
        done(root, tmp_path / "new", num_workers=0)
    assert not (tmp_path / "new").exists()


def test_a_listing_has_the_hash_that_it_always_had(image_folder: Path) -> None:
    """It names the plan of the shards: were it another, every finished preparation would begin anew."""
    plan = plan_of(source_at(image_folder), 16)
    val = plan._replace(splits={"val": plan.splits["val"]})
    assert plans._listing_hash(val)[:16] == LISTING

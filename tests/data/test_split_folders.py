"""Folders of splits by their names: taken as splits or refused, never two classes."""

from pathlib import Path

import pytest

from lit_an.data.sources import CelebAHQ, ImageFolder, Photographs
from lit_an.data.sources.base import SPLITS
from lit_an.data.sources.detection import source_at
from lit_an.data.sources.split_folders import split_called, split_folders
from lit_an.errors import InputError
from tests.photo_folders import write

LONG = (40 * "7", f"train{40 * '7'}x")  # looked through in every way, they would take years
NAMES = {
    "train": ("train", "Train", "TRAINING", "seg_train", "training_set", "train_images", "Images-Train", "train2017"),
    "val": ("val", "Valid", "VALIDATION", "val_256", "valid_set", "imgs_val", "validation-images", "val_source_256"),
    "test": ("test", "Testing", "test_set", "seg_test", "visual_test_source_256"),
    None: ("trains", "trainer", "contest", "valley", "pred", "train_val", "cat", "set", "", *LONG),
}


def folder(root: Path, *names: str, inside: str = "{}/0.png") -> Path:
    for name in names:
        for animal in ("cat", "dog"):
            write(root / name / inside.format(animal))
    return root


def test_names_of_splits() -> None:
    for split, names in NAMES.items():
        assert {name: split_called(name) for name in names} == dict.fromkeys(names, split)


@pytest.mark.parametrize(("train", "val"), [("Train", "Val"), ("training", "validation"), ("seg_train", "VALID")])
def test_they_are_taken_as_splits(tmp_path: Path, train: str, val: str) -> None:
    root = folder(tmp_path, train, val, "Test", "annotations")
    source = source_at(root)
    assert isinstance(source, ImageFolder)
    assert source.class_names == ["cat", "dog"]
    places = {split: source.open(split, 8).folder.name for split in SPLITS}
    assert places == {"train": train, "val": val, "test": "Test"}


@pytest.mark.parametrize("kind", [Photographs, CelebAHQ])
def test_photographs_have_them_too(tmp_path: Path, kind: type[Photographs | CelebAHQ]) -> None:
    for number in range(4):
        write(tmp_path / ("Training" if number < 3 else "Validation") / f"{number}.png")
    source = kind(tmp_path)
    assert (len(source.open("train", 8)), list(source.open("val", 8).paths)) == (3, ["3.png"])
    assert isinstance(source_at(tmp_path), Photographs)


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (("Train", "Test"), "is split into Test, Train; the sub-folders must be called train, val"),
        (("seg_train", "seg_test", "seg_pred"), "is split into seg_test, seg_train; the sub-folders must be called"),
        (("training_set", "test_set"), "is split into test_set, training_set; the sub-folders must be called"),
        (("train_images",), "is split into train_images; the sub-folders must be called"),
        (("train", "val", "valid"), "val, valid look like one split: rename or remove all but one"),
    ],
)
def test_or_refused(tmp_path: Path, names: tuple[str, ...], sentence: str) -> None:
    root = folder(tmp_path, *names)
    for kind in (ImageFolder, Photographs):
        with pytest.raises(InputError, match=sentence):
            kind(root)


def test_one_such_name_among_others_is_a_class(tmp_path: Path) -> None:
    assert split_folders(folder(tmp_path, "train", "bus", "tram"), "") == {}

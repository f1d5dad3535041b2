"""Places365 in all its published layouts, with lists and without, and every error sentence."""

from functools import partial
from pathlib import Path

import pytest

from lit_an.data.sources import Places365
from lit_an.data.sources.base import Split
from lit_an.data.sources.places365 import is_places365, sizes_in, variant_in
from tests.data.small_sources import names_of, refusal
from tests.photo_folders import PLACES_CLASSES, make_photographs, make_places, write, write_list

LISTED = [f"{name}/0000000{i}.jpg" for name in PLACES_CLASSES for i in (3, 1, 2)]
LISTED_VAL = [f"Places365_val_0000000{i}.jpg" for i in (2, 1, 4, 3)]


sentence_of = partial(refusal, Places365)


def labels_of(source: Places365, split: Split) -> list[int] | None:
    labels = source.pictures(split, 8).labels
    return None if labels is None else labels.tolist()


@pytest.mark.parametrize(
    ("folder", "size"),
    [
        ("data_256", "small"),
        ("data_256_standard", "small"),
        ("data_large", "large"),
        ("data_large_standard", "large"),
    ],
)
def test_the_images_are_those_of_the_lists_in_their_order(tmp_path: Path, folder: str, size: str) -> None:
    make_places(tmp_path, folder, "256" if size == "small" else "large")
    source = Places365(tmp_path, size=size)  # type: ignore[arg-type]
    assert source.train_folder == tmp_path / folder
    assert names_of(source, "train") == LISTED
    assert names_of(source, "val") == names_of(source, "test") == LISTED_VAL
    assert not source.has_test
    assert is_places365(tmp_path)
    assert sizes_in(tmp_path) == [size]


def test_without_lists_all_images_are_taken(tmp_path: Path) -> None:
    source = Places365(make_places(tmp_path, lists=False))
    assert names_of(source, "train") == sorted(LISTED)
    assert names_of(source, "val") == sorted(LISTED_VAL)


def test_the_challenge_has_a_list_of_its_own(tmp_path: Path) -> None:
    make_places(tmp_path)
    write(tmp_path / "data_256" / "a/airfield/00005001.jpg")
    (tmp_path / "places365_train_challenge.txt").write_text("/a/airfield/00005001.jpg 0\n")
    assert names_of(Places365(tmp_path, variant="challenge"), "train") == ["a/airfield/00005001.jpg"]
    assert names_of(Places365(tmp_path), "train") == LISTED
    assert variant_in(tmp_path, "small") == "standard"
    (tmp_path / "places365_train_standard.txt").unlink()
    assert variant_in(tmp_path, "small") == "challenge"
    (tmp_path / "data_256").rename(tmp_path / "data_256_challenge")
    (tmp_path / "places365_train_challenge.txt").unlink()
    assert variant_in(tmp_path, "small") == "challenge"


def test_test_images_have_a_list_without_labels(tmp_path: Path) -> None:
    make_places(tmp_path)
    for i in (1, 2):
        write(tmp_path / "test_256" / f"Places365_test_0000000{i}.jpg")
    (tmp_path / "places365_test.txt").write_text("Places365_test_00000002.jpg\nPlaces365_test_00000001.jpg\n")
    source = Places365(tmp_path)
    assert source.has_test
    assert labels_of(source, "test") is None
    assert names_of(source, "test") == ["Places365_test_00000002.jpg", "Places365_test_00000001.jpg"]


def test_classes_are_numbered_by_the_lists(tmp_path: Path) -> None:
    source = Places365(make_places(tmp_path))
    assert source.class_names == ["airfield", "swimming_pool_indoor"]
    assert labels_of(source, "train") == [0, 0, 0, 1, 1, 1]
    assert labels_of(source, "val") == labels_of(source, "test") == [0, 1, 0, 1]


def test_of_a_subset_labels_are_in_the_order_of_the_numbers(tmp_path: Path) -> None:
    make_places(tmp_path)
    for split, numbers in (("train_standard", (300, 300, 300, 7, 7, 7)), ("val", (7, 300, 300, 7))):
        paths = LISTED if split != "val" else LISTED_VAL
        lines = [f"/{path} {number}" for path, number in zip(paths, numbers, strict=True)]
        write_list(tmp_path / f"places365_{split}.txt", *lines)
    source = Places365(tmp_path)
    assert source.class_names == ["swimming_pool_indoor", "airfield"]
    assert labels_of(source, "train") == [1, 1, 1, 0, 0, 0]
    assert labels_of(source, "val") == [0, 1, 1, 0]


@pytest.mark.parametrize("lists", ["all", "of validation", "none"])
def test_the_file_of_categories_names_all_classes(tmp_path: Path, lists: str) -> None:
    """It numbers the folders where there are no lists."""
    make_places(tmp_path, lists=lists != "none")
    if lists == "of validation":
        (tmp_path / "places365_train_standard.txt").unlink()
    write_list(tmp_path / "categories_places365.txt", "/a/airfield 0", "/s/swimming_pool/indoor 1", "/z/zen_garden 2")
    source = Places365(tmp_path)
    assert source.class_names == ["airfield", "swimming_pool_indoor", "zen_garden"]
    assert labels_of(source, "train") == [0, 0, 0, 1, 1, 1]
    assert labels_of(source, "val") == (None if lists == "none" else [0, 1, 0, 1])


@pytest.mark.parametrize("lists", ["none", "without numbers"])
def test_classes_are_the_folders_where_nothing_numbers_them(tmp_path: Path, lists: str) -> None:
    """Their numbers are not those of the list of validation, which then says nothing."""
    make_places(tmp_path)
    (tmp_path / "places365_train_standard.txt").unlink()
    if lists == "without numbers":
        write_list(tmp_path / "places365_train_standard.txt", *[f"/{path}" for path in LISTED])
    source = Places365(tmp_path)
    assert names_of(source, "train") == (sorted(LISTED) if lists == "none" else LISTED)
    assert source.class_names == ["airfield", "swimming_pool_indoor"]
    assert labels_of(source, "train") == [0, 0, 0, 1, 1, 1]
    assert labels_of(source, "val") is None


def test_of_all_365_folders_the_numbers_are_those_published(tmp_path: Path) -> None:
    make_places(tmp_path)
    (tmp_path / "places365_train_standard.txt").unlink()
    for number in range(363):
        (tmp_path / "data_256" / "z" / f"{number:03d}").mkdir(parents=True)
        (tmp_path / "data_256" / "z" / f"{number:03d}" / "1.jpg").touch()
    source = Places365(tmp_path)
    assert len(source.class_names) == 365
    assert labels_of(source, "val") == [0, 1, 0, 1]


def test_a_class_without_training_images_is_named(tmp_path: Path) -> None:
    file = write_list(make_places(tmp_path) / "places365_val.txt", f"{LISTED_VAL[0]} 0", f"{LISTED_VAL[1]} 5")
    assert sentence_of(tmp_path, "val") == (
        f"data: {str(file)!r} names the class 5, of which there are no training images; put categories_places365.txt "
        f"beside it"
    )


def test_archives_that_are_not_whole(tmp_path: Path) -> None:
    make_places(tmp_path)
    (tmp_path / "data_256" / LISTED[1]).unlink()
    assert sentence_of(tmp_path) == (
        f"data: line 2 of {str(tmp_path / 'places365_train_standard.txt')!r} names 'a/airfield/00000001.jpg', which is "
        f"not in {str(tmp_path / 'data_256')!r}; unpack the rest of 'data_256', or remove the list to take the images "
        f"that are there"
    )
    (tmp_path / "val_256").rename(tmp_path / "away")
    assert sentence_of(tmp_path, "val") == (
        f"data: {str(tmp_path)!r} has no folder 'val_256'; unpack val_256.tar there"
    )


def test_another_size_or_variant_is_there(tmp_path: Path) -> None:
    make_places(tmp_path, "data_large_challenge", "large")
    found = Places365(tmp_path)
    assert (found.size, found.variant) == ("large", "challenge"), "though there is the list of the other"
    assert sentence_of(tmp_path, size="small", variant="standard") == (
        f"data: root={str(tmp_path)!r} has neither 'data_256_standard' nor 'data_256'; it has 'data_large_challenge': "
        f"set size and variant to what you have"
    )


def test_a_root_one_too_high_or_too_low(tmp_path: Path) -> None:
    root = make_places(tmp_path / "places", "data_256_standard")
    neither = "has neither 'data_256_standard' nor 'data_256'"
    meant = f"; did you mean {str(root)!r}?"
    assert sentence_of(tmp_path) == f"data: root={str(tmp_path)!r} {neither}{meant}"
    below = root / "data_256_standard"
    assert sentence_of(below) == f"data: root={str(below)!r} {neither}{meant}"
    below = root / "val_256"
    assert sentence_of(below) == f"data: root={str(below)!r} {neither}{meant}"


def test_the_easy_format_is_a_folder_of_classes(tmp_path: Path) -> None:
    for split in ("train", "val"):
        make_photographs(tmp_path / split, 3)
    assert sentence_of(tmp_path).endswith("; for a folder with train and val take lit_an.data.sources.ImageFolder")


def test_words_that_are_none(tmp_path: Path) -> None:
    make_places(tmp_path)
    assert sentence_of(tmp_path, size="256") == "data: size must be one of small, large, got '256'"
    assert sentence_of(tmp_path, variant="full") == "data: variant must be one of standard, challenge, got 'full'"
    assert sentence_of(tmp_path / "nowhere").endswith(
        "does not exist; give one with the unpacked archives of Places365"
    )

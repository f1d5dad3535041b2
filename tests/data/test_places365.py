"""Places365 in all its published layouts, with lists and without, and every error sentence."""

from pathlib import Path

import pytest

from lit_an.data import Places365
from lit_an.data.base import Split
from lit_an.data.places365 import is_places365, sizes_in, variant_in
from lit_an.errors import InputError
from tests.photo_folders import make_photographs, make_places, write

LISTED = [f"{name}/0000000{i}.jpg" for name in ("a/airfield", "s/swimming_pool/indoor") for i in (3, 1, 2)]
LISTED_VAL = [f"Places365_val_0000000{i}.jpg" for i in (2, 1, 4, 3)]


def names_of(data: Places365, split: Split) -> list[str]:
    return [data.name(split, index) for index in range(len(data.dataset(split)))]


def sentence_of(root: Path, split: Split = "train", **arguments: str) -> str:
    with pytest.raises(InputError) as caught:
        Places365(root, 8, **arguments).dataset(split)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


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
    data = Places365(tmp_path, 8, size=size)  # type: ignore[arg-type]
    assert data.train_folder == tmp_path / folder
    assert names_of(data, "train") == LISTED
    assert names_of(data, "val") == names_of(data, "test") == LISTED_VAL
    assert not data.has_test
    assert data.dataset("train")[5].image.shape == (3, 8, 8)
    assert is_places365(tmp_path)
    assert sizes_in(tmp_path) == [size]


def test_without_lists_all_images_are_taken(tmp_path: Path) -> None:
    data = Places365(make_places(tmp_path, lists=False), 8)
    assert names_of(data, "train") == sorted(LISTED)
    assert names_of(data, "val") == sorted(LISTED_VAL)


def test_the_challenge_has_a_list_of_its_own(tmp_path: Path) -> None:
    make_places(tmp_path)
    write(tmp_path / "data_256" / "a/airfield/00005001.jpg")
    (tmp_path / "places365_train_challenge.txt").write_text("/a/airfield/00005001.jpg 0\n")
    assert names_of(Places365(tmp_path, 8, variant="challenge"), "train") == ["a/airfield/00005001.jpg"]
    assert names_of(Places365(tmp_path, 8), "train") == LISTED
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
    data = Places365(tmp_path, 8)
    assert data.has_test
    assert names_of(data, "test") == ["Places365_test_00000002.jpg", "Places365_test_00000001.jpg"]


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
    assert sentence_of(tmp_path) == (
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


def test_the_easy_format_is_for_photographs(tmp_path: Path) -> None:
    for split in ("train", "val"):
        make_photographs(tmp_path / split, 3)
    assert sentence_of(tmp_path).endswith("; for a folder with train and val take lit_an.data.Photographs")


def test_words_that_are_none(tmp_path: Path) -> None:
    make_places(tmp_path)
    assert sentence_of(tmp_path, size="256") == "data: size must be one of small, large, got '256'"
    assert sentence_of(tmp_path, variant="full") == "data: variant must be one of standard, challenge, got 'full'"
    assert sentence_of(tmp_path / "nowhere").endswith(
        "does not exist; give one with the unpacked archives of Places365"
    )

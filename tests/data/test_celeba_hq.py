"""CelebA-HQ by its numbers, split as it says, and every error sentence."""

import warnings
from functools import partial
from pathlib import Path

import pytest

from lit_an.data.sources import CelebAHQ
from lit_an.data.sources.base import SPLITS
from lit_an.data.sources.celeba_hq import last_held_out
from tests.data.small_sources import names_of, refusal
from tests.photo_folders import make_faces, make_photographs, write, write_list

pytestmark = pytest.mark.filterwarnings("ignore:CelebA-HQ has")


sentence_of = partial(refusal, CelebAHQ)


@pytest.mark.parametrize("name", ["{}.jpg", "{:05d}.png", "imgHQ{:05d}.png"])
def test_the_last_by_number_are_held_out(tmp_path: Path, name: str) -> None:
    """A fifteenth: 2,000 of 30,000, 2 of 30. By number, not by name: 9 comes before 28."""
    source = CelebAHQ(make_faces(tmp_path, 30, name))
    assert names_of(source, "train") == [name.format(i) for i in range(28)]
    assert names_of(source, "val") == names_of(source, "test") == [name.format(28), name.format(29)]


def test_numbers_may_begin_with_one(tmp_path: Path) -> None:
    make_faces(tmp_path, 31, "{:05d}.jpg")
    (tmp_path / "00000.jpg").unlink()
    assert names_of(CelebAHQ(tmp_path), "val") == ["00029.jpg", "00030.jpg"]


def test_thirty_thousand_are_28000_and_2000_without_a_warning() -> None:
    names = [f"{i}.jpg" for i in range(30_000)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert last_held_out(names, Path()) == (names[:28_000], names[28_000:])


def test_another_number_is_taken_with_a_warning(tmp_path: Path) -> None:
    source = CelebAHQ(make_faces(tmp_path, 3))
    with pytest.warns(UserWarning, match=r"^CelebA-HQ has 30,000 images, but '.*' holds 3$"):
        assert len(names_of(source, "train")) == 2


def test_split_folders_and_lists_go_before_numbers(tmp_path: Path) -> None:
    for split, number in (("train", 4), ("val", 2)):
        make_faces(tmp_path / "split" / split, number)
    source = CelebAHQ(tmp_path / "split")
    assert (names_of(source, "train"), names_of(source, "val")) == (
        ["0.jpg", "1.jpg", "2.jpg", "3.jpg"],
        ["0.jpg", "1.jpg"],
    )
    make_faces(tmp_path / "flat", 12)
    lists = {name: str(tmp_path / f"{name}.flist") for name in ("val_list", "test_list")}
    write_list(tmp_path / "val_list.flist", "11.jpg", "3.jpg")
    source = CelebAHQ(tmp_path / "flat", val_list=lists["val_list"])
    assert names_of(source, "val") == names_of(source, "test") == ["11.jpg", "3.jpg"]
    assert sorted(names_of(source, "train")) == sorted(f"{i}.jpg" for i in range(12) if i not in (3, 11))
    write_list(tmp_path / "test_list.flist", "0.jpg")
    source = CelebAHQ(tmp_path / "flat", **lists)
    assert [len(names_of(source, split)) for split in SPLITS] == [9, 2, 1]


def test_a_root_one_too_high_or_too_low(tmp_path: Path) -> None:
    root = make_faces(tmp_path / "CelebAMask-HQ" / "CelebA-HQ-img", 5)
    (root / "annotations").mkdir()
    for wrong in (root.parent, root / "annotations"):
        assert sentence_of(wrong) == (
            f"data: root={str(wrong)!r} holds no images called by their numbers, such as 0.jpg or 00000.png; "
            f"did you mean {str(root)!r}?"
        )


def test_names_that_are_no_numbers_or_the_same(tmp_path: Path) -> None:
    make_faces(tmp_path, 5)
    write(tmp_path / "00003.png")
    assert sentence_of(tmp_path) == (
        f"data: '00003.png' and '3.jpg' in {str(tmp_path)!r} have one number; remove one of them"
    )
    (tmp_path / "00003.png").rename(tmp_path / "me.png")
    assert sentence_of(tmp_path) == (
        f"data: 'me.png' in {str(tmp_path)!r} is not called by its number, as the images of CelebA-HQ are; remove it, "
        f"or take lit_an.data.sources.Photographs"
    )


def test_folders_that_cannot_be(tmp_path: Path) -> None:
    assert sentence_of(tmp_path / "nowhere").endswith("does not exist; give one with the numbered images of CelebA-HQ")
    assert "such as 0.jpg or 00000.png" in sentence_of(make_photographs(tmp_path / "deep" / "x", 2) / "..")
    assert "holds one image; at least two are needed" in sentence_of(make_faces(tmp_path / "one", 1))

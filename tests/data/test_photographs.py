"""Folders and lists of photographs: which images are in which split, and every error sentence."""

from functools import partial
from pathlib import Path

import pytest

from lit_an.data.sources import Photographs
from tests.data.small_sources import names_of, refusal
from tests.photo_folders import make_photographs, write, write_list


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_photographs(tmp_path / "root", 40)


sentence_of = partial(refusal, Photographs)


def test_a_part_is_held_out_by_the_paths_alone(root: Path) -> None:
    source = Photographs(str(root), val_fraction=0.3)
    train, val = names_of(source, "train"), names_of(source, "val")
    assert len(train) + len(val) == 40
    assert 5 <= len(val) <= 20
    assert not set(train) & set(val)
    assert {name.rpartition("/")[0] for name in train} == {"", "deep", "deep/er"}
    assert names_of(source, "test") == val
    for i in range(100, 120):
        write(root / "deep" / f"{i}.png")
    after = names_of(Photographs(root, val_fraction=0.3), "val")
    assert [name for name in after if len(Path(name).stem) == 2] == val


def test_split_folders_are_the_splits(tmp_path: Path) -> None:
    for split, number in (("train", 5), ("val", 3)):
        make_photographs(tmp_path / split, number)
    source = Photographs(tmp_path)
    assert names_of(source, "train") == ["00.png", "03.png", "deep/01.png", "deep/04.png", "deep/er/02.png"]
    assert names_of(source, "val") == names_of(source, "test") == ["00.png", "deep/01.png", "deep/er/02.png"]
    assert not source.has_test
    make_photographs(tmp_path / "test", 1)
    source = Photographs(tmp_path)
    assert source.has_test
    assert names_of(source, "test") == ["00.png"]


def test_lists_are_the_splits_in_their_order(root: Path, tmp_path: Path) -> None:
    elsewhere = write(tmp_path / "elsewhere" / "x.png", 25)
    source = Photographs(
        root,
        train_list=write_list(tmp_path / "train.txt", "# three", "03.png", "deep/01.png", str(elsewhere)),
        val_list=write_list(tmp_path / "val.txt", "deep/er/02.png"),
    )
    assert names_of(source, "train") == ["03.png", "deep/01.png", str(elsewhere)]
    assert names_of(source, "val") == names_of(source, "test") == ["deep/er/02.png"]
    assert source.open("train", 8).picture(2).image.getpixel((0, 0))[2] == 250  # type: ignore[union-attr]


def test_without_a_list_one_trains_on_all_others(root: Path, tmp_path: Path) -> None:
    val = write_list(tmp_path / "val.txt", "03.png", str(root / "deep/01.png"))
    source = Photographs(root, val_list=val, test_list=write_list(tmp_path / "test.txt", "deep/er/../er/02.png"))
    train = names_of(source, "train")
    assert len(train) == 37
    assert not {"03.png", "deep/01.png", "deep/er/02.png"} & set(train)
    assert source.has_test
    assert len(names_of(source, "test")) == 1


def test_a_missing_file_is_named_with_list_and_line(root: Path, tmp_path: Path) -> None:
    val = write_list(tmp_path / "val.txt", "03.png", "cat/7.png")
    assert sentence_of(root, "val", val_list=val) == (
        f"data: line 2 of {str(val)!r} names 'cat/7.png', which is not in {str(root)!r}"
    )


def test_lists_that_leave_nothing_or_lack_validation(root: Path, tmp_path: Path) -> None:
    everything = write_list(tmp_path / "all.txt", *names_of(Photographs(root, val_fraction=1e-9), "train"))
    assert sentence_of(root, val_list=everything) == (
        f"data: the lists name all images below {str(root)!r}; none are left to train on"
    )
    for name in ("train_list", "test_list"):
        assert sentence_of(root, **{name: everything}) == f"data: {name} needs a val_list beside it; give one"


def test_roots_that_cannot_be(root: Path, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    assert sentence_of(nowhere) == (
        f"data: the folder root={str(nowhere)!r} does not exist; give one with photographs in it, at any depth"
    )
    assert sentence_of(root / "00.png").startswith(f"data: root={str(root / '00.png')!r} is a file; give a folder with")
    nowhere.mkdir()
    assert sentence_of(nowhere).startswith(f"data: the folder {str(nowhere)!r} holds no images (.jpg, ")


def test_train_without_val_is_no_photograph(tmp_path: Path) -> None:
    make_photographs(tmp_path / "train", 3)
    assert sentence_of(tmp_path) == (
        f"data: root={str(tmp_path)!r} is split into train; the sub-folders must be called train, val and, if you "
        f"like, test (or name one folder of photographs as root: a part is then held out)"
    )


def test_shares_that_cannot_be(root: Path) -> None:
    assert sentence_of(root, val_fraction=1.0) == ("data: val_fraction must be between 0 and 1, both excluded, got 1.0")
    assert sentence_of(root, "val", val_fraction=1e-9) == (
        f"data: val_fraction=1e-09 of the images in {str(root)!r} leaves none for validation; raise it or add images"
    )

"""Lists of files, and the folder that was meant."""

import os
from pathlib import Path

import pytest

from lit_an.data.sources.file_lists import read_list
from lit_an.data.sources.listing import did_you_mean, list_photographs
from lit_an.errors import InputError
from tests.photo_folders import make_photographs, write, write_list


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_photographs(tmp_path / "root", 12)


def sentence_of(file: Path, root: Path, **arguments: str) -> str:
    with pytest.raises(InputError) as caught:
        read_list(file, root, **arguments)  # type: ignore[arg-type]
    return str(caught.value)


def test_a_list_keeps_its_order_and_may_say_more(root: Path, tmp_path: Path) -> None:
    lines = ("# mine", "", "deep/er/02.png", "  00.png ", str(root / "deep/01.png"), "# end")
    file = write_list(tmp_path / "list.txt", *lines)
    paths = ["deep/er/02.png", "00.png", str(root / "deep/01.png")]
    assert read_list(file, root) == [(path, 0) for path in paths]


def test_names_of_any_bytes_are_found(root: Path, tmp_path: Path) -> None:
    odd = os.fsdecode("grün ".encode() + b"\xff.png")
    write(root / odd.encode("utf-8", "replace").decode()).rename(root / odd)
    (tmp_path / "list.txt").write_bytes(os.fsencode(odd) + b"\r\n")
    assert read_list(tmp_path / "list.txt", root) == [(odd, 0)]


def test_a_missing_file_is_named_with_its_line(root: Path, tmp_path: Path) -> None:
    file = write_list(tmp_path / "list.txt", "# two", "00.png", "deep/nothing.png")
    expected = f"data: line 3 of {str(file)!r} names 'deep/nothing.png', which is not in {str(root)!r}"
    assert sentence_of(file, root) == expected
    assert sentence_of(file, root, hint="; look again") == f"{expected}; look again"
    write_list(file, "nowhere/00.png")
    assert (
        sentence_of(file, root)
        == f"data: line 1 of {str(file)!r} names 'nowhere/00.png', which is not in {str(root)!r}"
    )


def test_the_folder_that_was_meant_is_named(root: Path, tmp_path: Path) -> None:
    file = write_list(tmp_path / "list.txt", "04.png")
    assert sentence_of(file, root).endswith(f"; did you mean {str(root / 'deep')!r}?")
    write_list(file, "root/00.png")
    assert sentence_of(file, root).endswith(f"; did you mean {str(tmp_path)!r}?")


def test_no_list_and_an_empty_one(root: Path, tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    assert sentence_of(file, root) == f"data: the list {str(file)!r} is not there; it must hold one path a line"
    write_list(file, "# nothing yet")
    assert sentence_of(file, root) == f"data: the list {str(file)!r} names no images; it must hold one path a line"


def test_folders_without_images(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no folder '.*nowhere'$"):
        list_photographs(tmp_path / "nowhere")
    (tmp_path / "notes.txt").write_text("none")
    with pytest.raises(
        InputError, match=r"holds no images \(.*.webp, .*\); 1 file is no image by its ending \(1 .txt\)$"
    ):
        list_photographs(tmp_path)


def test_photographs_are_sorted_and_hidden_ones_left_out(root: Path) -> None:
    write(root / ".cache" / "x.png")
    write(root / ".x.png")
    assert list_photographs(root).paths == sorted(list_photographs(root).paths)
    assert len(list_photographs(root).paths) == 12


def test_nothing_is_meant_where_nothing_fits(root: Path) -> None:
    assert did_you_mean(root, lambda folder: False) == ""
    (root / "gone").symlink_to("/nowhere")
    assert did_you_mean(root, lambda folder: folder.name == "deep") == ""
    (root / "gone").unlink()
    assert did_you_mean(root, lambda folder: folder.name == "deep") == f"; did you mean {str(root / 'deep')!r}?"


def test_a_shuffled_list_looks_at_each_folder_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(1100):
        (tmp_path / "root" / str(i)).mkdir(parents=True)
        (tmp_path / "root" / str(i) / "a.png").touch()
    lines = [f"{i}/a.png" for i in (*range(1100), *range(1100))]
    listed: list[str] = []
    listdir = os.listdir
    monkeypatch.setattr(os, "listdir", lambda folder: listed.append(str(folder)) or listdir(folder))
    assert len(read_list(write_list(tmp_path / "list.txt", *lines), tmp_path / "root")) == 2200
    assert len(listed) == len(set(listed)) == 1100

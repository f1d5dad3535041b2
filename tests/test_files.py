"""Atomic replacement: the old file or the new one."""

import stat
from pathlib import Path

import pytest

from lit_an.files import replacing


def test_it_replaces(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "note.txt"
    for text in ("first", "second"):
        with replacing(path) as temporary:
            assert temporary.parent == path.parent
            assert temporary.suffix == ".txt"
            temporary.write_text(text)
    assert path.read_text() == "second"
    assert [file.name for file in path.parent.iterdir()] == ["note.txt"]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    path.write_text("old")

    def write_and_fail() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_and_fail()
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["note.txt"]


def test_the_file_is_as_readable_as_any_other(tmp_path: Path) -> None:
    with replacing(tmp_path / "a.txt") as temporary:
        temporary.write_text("a")
    (tmp_path / "b.txt").write_text("b")
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == stat.S_IMODE((tmp_path / "b.txt").stat().st_mode)

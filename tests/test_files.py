"""Atomic replacement: the old file or the new one."""

import stat
from pathlib import Path

import pytest

from lit_an.files import cache_folder, replacing


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


@pytest.mark.parametrize("problem", ["no home", "a file in its place", "not writable"])
def test_without_a_cache_folder_a_process_has_its_own(
    problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setenv("XDG_CACHE_HOME", "" if problem == "no home" else str(tmp_path / problem))
    if problem == "no home":
        monkeypatch.setattr(Path, "home", no_home)
    elif problem == "a file in its place":
        (tmp_path / problem).touch()
    else:
        monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.warns(UserWarning, match=r"there is no cache folder \(.+\).*set XDG_CACHE_HOME"):
        folder = cache_folder()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700, "nobody else puts a library there"
    assert cache_folder() == folder
    (folder / "file").write_text("kept")

"""Atomic replacement: the old file or the new one."""

import errno
import json
import os
import resource
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from lit_an.errors import InputError, OutputError
from lit_an.files import (
    OF_ONE_NAME,
    TEMPORARY,
    cache_folder,
    explain_write_errors,
    json_text,
    remove_leftovers,
    replacing,
)
from lit_an.pictures.panels import write_png


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


@contextmanager
def full_disk(size: int = 4096) -> Iterator[None]:
    """No file may grow beyond a size: the system refuses as it does where there is no room."""
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, former[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)


def test_a_full_disk_is_a_sentence_and_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    sentence = r"a\.bin cannot be written \(File too large\); make room, or choose another folder$"
    with full_disk(), pytest.raises(OutputError, match=sentence) as said, replacing(path) as temporary:
        temporary.write_bytes(bytes(10_000))
    assert said.value.errno == errno.EFBIG
    assert isinstance(said.value, InputError)
    assert isinstance(said.value, OSError)
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("a.bin", b"old")]


def test_pictures_say_so_too(tmp_path: Path) -> None:
    noise = torch.randint(0, 256, (3, 64, 64), dtype=torch.uint8)
    with full_disk(), pytest.raises(OutputError, match="make room"):
        write_png(tmp_path / "a.png", noise)
    assert list(tmp_path.iterdir()) == []


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file")
    for path in (tmp_path / "file" / "a.txt", tmp_path / "file" / "deep" / "a.txt"):
        with (
            pytest.raises(OutputError, match="a file is where a folder should be: choose another folder"),
            replacing(path),
        ):
            pass
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_a_folder_where_a_file_should_be(tmp_path: Path) -> None:
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(OutputError, match="a folder is where a file should be"), replacing(tmp_path / "a.txt"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_folders_made_for_what_was_not_written_go_again(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with full_disk(), pytest.raises(OutputError), replacing(tmp_path / "there" / "new" / "deep" / "a") as temporary:
        temporary.write_bytes(bytes(10_000))
    assert [path.name for path in tmp_path.rglob("*")] == ["there"]


def test_a_name_as_long_as_names_can_be(tmp_path: Path) -> None:
    with replacing(tmp_path / ("a" * 251 + ".txt")) as temporary:
        temporary.write_text("written")
    with (
        pytest.raises(OutputError, match=r"File name too long\); give it a shorter name") as said,
        replacing(tmp_path / ("a" * 252 + ".txt")),
    ):
        pass
    assert said.value.errno in OF_ONE_NAME


def test_what_could_not_be_read_is_not_said_to_be_unwritable(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "a.txt"):
        (tmp_path / "other" / "b.txt").read_text()


def test_only_temporary_files_of_the_project_are_removed(tmp_path: Path) -> None:
    mine = [".notes.txt", ".ipynb_checkpoints/a.png", "a.png", f"{TEMPORARY}folder/b.png"]
    for name in (*mine, "deep/.lit_an-x.png", f"{TEMPORARY}y"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text("")
    remove_leftovers(tmp_path)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == set(mine)
    with replacing(tmp_path / "b.png") as temporary:
        assert temporary.name.startswith(TEMPORARY)


def test_what_another_process_writes_is_no_leftover(tmp_path: Path) -> None:
    """By its number on this machine, by the time of its last write on another one."""
    with replacing(tmp_path / "a.png") as temporary:
        mine = temporary.name
    machine, _, rest = mine.removeprefix(TEMPORARY).split("-")
    ended = subprocess.Popen(["true"])
    ended.wait()
    unasked = subprocess.Popen(["true"])  # its exit code is not asked for
    os.waitid(os.P_PID, unasked.pid, os.WEXITED | os.WNOWAIT)
    names = {
        "unasked": f"{TEMPORARY}{machine}-{unasked.pid}-{rest}",
        "ended": f"{TEMPORARY}{machine}-{ended.pid}-{rest}",
        "lives": f"{TEMPORARY}{machine}-{os.getppid()}-{rest}",
        "elsewhere": f"{TEMPORARY}{'0' * 8}-1-{rest}",
        "long ago": f"{TEMPORARY}{'0' * 8}-2-{rest}",
    }
    for name in names.values():
        (tmp_path / name).touch()
    os.utime(tmp_path / names["long ago"], (0, 0))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / f"{TEMPORARY}x").touch()
    remove_leftovers(tmp_path, below=False)
    unasked.wait()
    assert [kind for kind, name in names.items() if (tmp_path / name).exists()] == ["lives", "elsewhere"]
    assert (tmp_path / "other" / f"{TEMPORARY}x").exists()


def test_json_holds_any_name_and_gives_it_back() -> None:
    name = os.fsdecode(b"caf\xe9 \xc3\xa9.png")
    text = json_text({name: [name]})
    assert "é" in text.encode().decode(), "what is text stays readable"
    assert json.loads(text) == {name: [name]}


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


def test_an_error_in_a_folder_names_the_file_and_the_command(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with (
        pytest.raises(OutputError, match=r"^prepare: .*/out/gone/a cannot be written \(No such .*\); choose another$"),
        explain_write_errors(tmp_path / "out", "prepare", "choose another"),
    ):
        (tmp_path / "out" / "gone" / "a").write_text("a")
    with pytest.raises(FileNotFoundError), explain_write_errors(tmp_path / "out", "prepare", "choose another"):
        (tmp_path / "images").open()

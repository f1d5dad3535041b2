"""The folder of checkpoints: which files stay, and which is the newest whole one."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch

from lit_an.checkpoints.files import load_checkpoint
from lit_an.checkpoints.folder import CheckpointFolder, Newest, newest_whole
from lit_an.checkpoints.format import read_entries, write_entries
from lit_an.checkpoints.places import checkpoints_in, is_run_folder
from lit_an.errors import InputError


def write(folder: Path, iteration: int, keep: int = 2, finite: bool = True) -> Path:
    stored: dict[str, Any] = {"state_dict": {"a": torch.full((40,), float(iteration))}}
    write_entries(stored, iteration=iteration, finite=finite)
    return CheckpointFolder(folder, keep).write(stored, iteration)


def spoil(path: Path) -> None:
    """Changes a byte in the middle of the tensor, in this name of the file only."""
    data = path.read_bytes()
    at = data.index(torch.full((40,), float(int(path.stem[-7:]))).numpy().tobytes()) + 50
    path.unlink()
    path.write_bytes(data[:at] + bytes([data[at] ^ 64]) + data[at + 1 :])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def iteration_of(path: Path | None) -> int | None:
    assert path is not None
    return read_entries(load_checkpoint(path), "").iteration


def test_a_file_in_writing_is_no_checkpoint(tmp_path: Path) -> None:
    """A kill while the first one is written leaves it: the next start begins anew."""
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / ".lit_an-abc.ckpt").write_bytes(b"half")
    assert checkpoints_in(tmp_path) is None
    assert newest_whole(tmp_path / "checkpoints") == Newest(None, [])
    assert is_run_folder(tmp_path)
    assert not is_run_folder(tmp_path / "checkpoints")


def test_the_newest_stay(tmp_path: Path) -> None:
    for iteration in (1, 2, 3, 4):
        write(tmp_path, iteration)
    assert names(tmp_path) == ["iteration_0000003.ckpt", "iteration_0000004.ckpt", "last.ckpt"]
    assert (tmp_path / "last.ckpt").samefile(tmp_path / "iteration_0000004.ckpt")


def test_the_newest_finite_one_stays_whatever_keep_says(tmp_path: Path) -> None:
    for iteration in (1, 2, 3, 4, 5):
        write(tmp_path, iteration, finite=iteration < 3)
    assert names(tmp_path) == [f"iteration_000000{number}.ckpt" for number in (2, 4, 5)] + ["last.ckpt"]
    write(tmp_path, 6)
    assert names(tmp_path) == ["iteration_0000005.ckpt", "iteration_0000006.ckpt", "last.ckpt"]


def test_where_links_do_not_work_the_last_is_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*args: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", no_links)
    write(tmp_path, 1)
    assert names(tmp_path) == ["iteration_0000001.ckpt", "last.ckpt"]
    assert iteration_of(tmp_path / "last.ckpt") == 1


def test_damaged_ones_are_named_and_passed_over(tmp_path: Path) -> None:
    for iteration in (1, 2, 3):
        write(tmp_path, iteration, keep=3)
    assert newest_whole(tmp_path) == (tmp_path / "last.ckpt", [])
    (tmp_path / "last.ckpt").write_bytes(b"")  # the same file as the third
    newest, damaged = newest_whole(tmp_path)
    assert iteration_of(newest) == 2
    assert len(damaged) == 1
    spoil(tmp_path / "iteration_0000002.ckpt")
    newest, damaged = newest_whole(tmp_path)
    assert iteration_of(newest) == 1
    assert [sentence.partition(":")[0] for sentence in damaged] == [
        str(tmp_path / "last.ckpt"),
        str(tmp_path / "iteration_0000002.ckpt"),
    ]
    spoil(tmp_path / "iteration_0000001.ckpt")
    assert newest_whole(tmp_path).path is None


def test_a_run_folder_has_checkpoints_or_signs_of_a_run(tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert (is_run_folder(run), checkpoints_in(run)) == (False, None)
    run.mkdir()
    (run / "metrics.csv").touch()
    assert (is_run_folder(run), checkpoints_in(run)) == (True, None)
    write(run / "checkpoints", 4)
    assert checkpoints_in(run) == checkpoints_in(run / "checkpoints") == run / "checkpoints"


def test_a_newer_format_is_not_passed_over(tmp_path: Path) -> None:
    write(tmp_path, 1)
    newer = {"state_dict": {}, "lit_an": {"format": 99}}
    (tmp_path / "last.ckpt").unlink()
    torch.save(newer, tmp_path / "last.ckpt")
    with pytest.raises(InputError, match="it has format 99"):
        newest_whole(tmp_path)


@pytest.mark.parametrize("step", range(12))
def test_a_kill_between_any_two_steps_leaves_whole_files(
    step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``last.ckpt`` is never older than a numbered one. A kill is an exception that nothing catches."""

    class Killed(BaseException):
        pass

    for iteration in (1, 2):
        write(tmp_path, iteration)
    left = step

    def counted(original: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed
            return original(*args, **kwargs)

        return call

    for name in ("replace", "link", "unlink", "fsync", "chmod"):
        monkeypatch.setattr(os, name, counted(getattr(os, name)))
    with suppress(Killed):
        write(tmp_path, 3)
    monkeypatch.undo()
    numbered = sorted(path for path in tmp_path.glob("iteration_*.ckpt"))
    found = [iteration_of(path) for path in numbered]
    last = iteration_of(tmp_path / "last.ckpt")
    assert last is not None
    assert last >= max(number for number in found if number is not None)
    assert {2} <= {*found, last}
    CheckpointFolder(tmp_path, 2).remove_leftovers()
    assert names(tmp_path) == [path.name for path in numbered] + ["last.ckpt"]

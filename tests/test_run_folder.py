"""Run folders: claimed once, kept by a resume, given back when nothing came of them."""

from pathlib import Path

import pytest

import lit_an.run_folder as run_folder
from lit_an.errors import InputError


def test_a_second_run_never_writes_over_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_folder.choose(None, None, "earth", fits=True) == "runs/earth"
    assert run_folder.choose(None, None, "earth", fits=True) == "runs/earth_2", "claimed, though still empty"
    Path("runs/earth/config.yaml").touch()
    with pytest.raises(
        InputError, match="--run_folder runs/earth holds a run already; choose another folder, or go on"
    ):
        run_folder.choose("runs/earth", None, "earth", fits=True)


def test_a_resumed_run_stays_in_its_folder(tmp_path: Path) -> None:
    checkpoint = tmp_path / "a" / "checkpoints" / "last.ckpt"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.touch()
    assert run_folder.choose(None, str(checkpoint), "x", fits=True) == str(tmp_path / "a")
    assert run_folder.choose(str(tmp_path / "a"), str(checkpoint), "x", fits=True) == str(tmp_path / "a")
    assert run_folder.choose(str(tmp_path / "b"), str(checkpoint), "x", fits=True) == str(tmp_path / "b")


def test_other_ranks_make_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_folder.choose(None, None, "earth", fits=True, rank=1)
    assert list(tmp_path.iterdir()) == []


def test_only_an_unused_folder_is_given_back(tmp_path: Path) -> None:
    unused, used = tmp_path / "unused", tmp_path / "used"
    for folder in (unused, used):
        folder.mkdir()
        (folder / "events.out.tfevents.1").touch()
    (used / "config.yaml").touch()
    for folder in (unused, used, tmp_path / "missing"):
        run_folder.give_back(str(folder))
    run_folder.give_back(None)
    assert [path.name for path in tmp_path.iterdir()] == ["used"]
    assert len(list(used.iterdir())) == 2

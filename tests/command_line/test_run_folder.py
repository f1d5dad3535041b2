"""Run folders: claimed once, kept by a resume, given back when nothing came of them."""

from pathlib import Path

import pytest

import lit_an.command_line.run_folder as run_folder
from lit_an.command_line.overview import program
from lit_an.errors import InputError


def test_a_second_run_never_writes_over_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_folder.choose(None, None, "earth", is_new=True) == "runs/earth"
    assert run_folder.choose(None, None, "earth", is_new=True) == "runs/earth_2", "claimed, though still empty"
    Path("runs/earth/config.yaml").touch()
    with pytest.raises(
        InputError, match="--run_folder runs/earth holds a run already; choose another folder, or go on with"
    ):
        run_folder.choose("runs/earth", None, "earth", is_new=True)


def test_a_resumed_run_stays_in_its_folder(tmp_path: Path) -> None:
    checkpoint = tmp_path / "a" / "checkpoints" / "last.ckpt"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.touch()
    assert run_folder.choose(None, str(checkpoint), "x", is_new=True) == str(tmp_path / "a")
    assert run_folder.choose(str(tmp_path / "a"), str(checkpoint), "x", is_new=True) == str(tmp_path / "a")
    assert run_folder.choose(str(tmp_path / "b"), str(checkpoint), "x", is_new=True) == str(tmp_path / "b")


def test_other_ranks_make_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_folder.choose(None, None, "earth", is_new=True, rank=1)
    assert list(tmp_path.iterdir()) == []


def test_what_a_refused_run_made_is_taken_away(tmp_path: Path) -> None:
    new, mine, used = tmp_path / "a" / "b" / "new", tmp_path / "mine", tmp_path / "used"
    for folder in (mine, used):
        folder.mkdir()
    checkpoint = used / "checkpoints" / "last.ckpt"
    checkpoint.parent.mkdir()
    for file in (checkpoint, used / "events.out.tfevents.1"):
        file.touch()
    for folder, origin in ((new, None), (mine, None), (used, str(checkpoint))):
        assert run_folder.choose(str(folder), origin, "x", is_new=True) == str(folder)
        (folder / "events.out.tfevents.2").touch()
        run_folder.give_back(str(folder))
        run_folder.give_back(str(folder))
    run_folder.give_back(None)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == [
        "mine",
        "used",
        "used/checkpoints",
        "used/checkpoints/last.ckpt",
        "used/events.out.tfevents.1",
    ]


def test_a_run_that_has_begun_keeps_its_folder(tmp_path: Path) -> None:
    folder = run_folder.choose(str(tmp_path / "run"), None, "x", is_new=True)
    Path(folder, "metrics.csv").touch()
    run_folder.give_back(folder)
    assert Path(folder, "metrics.csv").exists()


def test_a_folder_that_cannot_be_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for wrong in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/nowhere/run")):
        with pytest.raises(InputError, match=rf"--run_folder {wrong} cannot be made \(.*\); choose a folder"):
            run_folder.choose(str(wrong), None, "x", is_new=True)


def test_a_finished_run_says_where_to_look(tmp_path: Path) -> None:
    files = ["samples/iteration_1.png", "samples/history.webp", "layouts/long_range/history.webp", "metrics.csv"]
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    said = run_folder.where_to_look(str(tmp_path)).splitlines()
    assert said[1] == f"The run is in {tmp_path}"
    looked = [line.split()[-1] for line in said[2:]]
    assert looked == [str(tmp_path / name) for name in files if name != "metrics.csv"]
    assert not any("tensorboard" in line for line in said), "that logger may not have been there"
    for name in ("events.out.tfevents.1", "README.md", "checkpoints/last.ckpt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    said = run_folder.where_to_look(str(tmp_path)).splitlines()
    assert said[1].endswith("; README.md there says what is what")
    assert said[-2:] == [
        f"  next   {program()} sample --ckpt_path {tmp_path}",
        f"         tensorboard --logdir {tmp_path}",
    ]

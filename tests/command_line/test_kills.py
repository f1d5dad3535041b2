"""Runs that are killed at named places and resumed: their logs equal those of an uninterrupted run."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.command_line.small_runs import ROOT, arguments
from tests.training import logged_rows

KILLER = "tests.command_line.killer.Kill"


def run(image_folder: Path, folder: Path, *more: str) -> "subprocess.CompletedProcess[str]":
    """A run of 8 iterations in a process of its own: saved every 2, validated every 4, measured every second time."""
    metrics = "callbacks.GenerationMetrics"
    argv = arguments(
        image_folder,
        folder,
        "--iterations=8",
        "--trainer.val_check_interval=4",
        f"--trainer.callbacks+={metrics}",
        "--trainer.callbacks.num_images=12",
        "--trainer.callbacks.every_validations=2",
        f"--trainer.callbacks.cache_dir={folder.parent / 'cache'}",
        "--trainer.callbacks+=callbacks.Checkpointing",
        "--trainer.callbacks.every_iterations=2",
        "--trainer.callbacks.keep=9",
        *more,
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(ROOT / "cli.py"), *argv]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, env=environment)


@pytest.fixture(scope="module")
def straight(image_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("straight") / "run"
    done = run(image_folder, folder)
    assert done.returncode == 0, done.stderr
    return folder


def figures(folder: Path) -> dict[str, object]:
    """The table without times and what Lightning calls epoch, and the figures of all files of metrics."""
    rows = {step: {k: v for k, v in row.items() if k != "epoch"} for step, row in logged_rows(folder, "").items()}
    files = {path.name: json.loads(path.read_text())["figures"] for path in folder.glob("metrics_val_*.json")}
    return {"rows": rows, "files": files}


def cells(folder: Path) -> list[tuple[str, str]]:
    """(iteration, figure) of each value in the table."""
    lines = [line.split(",") for line in (folder / "metrics.csv").read_text().splitlines()]
    names = lines[0]
    return [
        (line[names.index("step")], name)
        for line in lines[1:]
        for name, value in zip(names, line, strict=True)
        if value and name != "step"
    ]


def events(folder: Path) -> dict[str, list[int]]:
    read = EventAccumulator(str(folder)).Reload()
    return {tag: [event.step for event in read.Scalars(tag)] for tag in read.Tags()["scalars"]}


@pytest.mark.parametrize(
    ("hook", "iteration", "number"),
    [
        pytest.param("on_before_save", 4, signal.SIGKILL, marks=pytest.mark.slow),  # the row is there
        pytest.param("on_after_save", 4, signal.SIGKILL, marks=pytest.mark.slow),  # the validation is missing
        ("on_validation_batch_end", 4, signal.SIGKILL),
        pytest.param("on_validation_end", 4, signal.SIGKILL, marks=pytest.mark.slow),  # it is there, and not made again
        pytest.param("on_after_save", 8, signal.SIGKILL, marks=pytest.mark.slow),  # nothing is left to train
        pytest.param("on_train_batch_start", 7, signal.SIGKILL, marks=pytest.mark.slow),  # rows beyond it
        pytest.param("on_train_batch_start", 4, signal.SIGTERM, marks=pytest.mark.slow),  # skips it
        pytest.param("on_validation_batch_end", 4, signal.SIGTERM, marks=pytest.mark.slow),
    ],
)
def test_a_killed_run_loses_and_doubles_nothing(
    hook: str, iteration: int, number: int, straight: Path, image_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    killer = [f"--trainer.callbacks+={KILLER}"]
    killer += [f"--trainer.callbacks.{name}={value}" for name, value in (("hook", hook), ("iteration", iteration))]
    # Half of the places are looked at with --runslow only, since each takes two runs.
    killed = run(image_folder, folder, *killer, f"--trainer.callbacks.number={int(number)}")
    assert killed.returncode == (-number if number == signal.SIGKILL else 128 + number), killed.stderr
    done = run(image_folder, folder, f"--ckpt_path={folder / 'checkpoints' / 'last.ckpt'}")
    assert done.returncode == 0, done.stderr
    assert figures(folder) == figures(straight)
    assert sorted(cells(folder)) == sorted(cells(straight))
    assert len(set(cells(folder))) == len(cells(folder)), "a figure stands twice at an iteration"
    assert events(folder) == events(straight)
    is_made_up = (hook, iteration) in [("on_after_save", 4), ("on_after_save", 8), ("on_validation_batch_end", 4)]
    is_made_up |= number == signal.SIGTERM
    assert ("which is made up now" in done.stdout + done.stderr) == is_made_up

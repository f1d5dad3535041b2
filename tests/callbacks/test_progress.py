"""What a run says about its progress, with a terminal and without."""

import fcntl
import itertools
import logging
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
import torch

import cli
from callbacks import Checkpointing, IterationProgressBar, progress
from callbacks.measuring.base import with_progress
from callbacks.progress import Progress, fitted, progress_line
from tests.command_line.small_runs import ROOT, arguments
from tests.training import make_data, make_task, make_trainer


def in_a_terminal(command: list[str], columns: int) -> tuple[int, str]:
    """Exit code and output of a process that writes to a terminal of so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))  # rows and columns
    shown = b""
    with subprocess.Popen(command, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        try:
            while block := os.read(ours, 65536):
                shown += block
        except OSError:  # the other side is closed
            pass
    os.close(ours)
    return process.returncode, shown.decode()


def test_progress_counts_iterations_of_the_whole_run(
    tmp_path: Path, image_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(progress, "_AGAIN", 0.0)
    for iterations, checkpoint in ((3, None), (8, tmp_path / "checkpoints" / "last.ckpt")):
        task, bar = make_task(), IterationProgressBar()
        trainer = make_trainer(tmp_path, task, iterations, [bar, Checkpointing()], enable_progress_bar=True)
        trainer.fit(task, datamodule=make_data(image_folder), ckpt_path=checkpoint, weights_only=True)
        counted = [int(number) for number in re.findall(rf"(\d+)/{iterations} \(", capsys.readouterr().out)]
        assert sorted(set(counted)) == list(range(0 if checkpoint is None else 3, iterations + 1))
        assert {"D", "G"} <= set(bar._terms)


def test_without_a_terminal_there_are_lines(
    tmp_path: Path,
    image_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Here after each iteration; of a resumed run, the rate is that of its own iterations."""
    monkeypatch.setattr(progress, "_FIRST", 0.0)
    caplog.set_level(logging.INFO)
    for iterations, checkpoint in ((2, None), (4, tmp_path / "checkpoints" / "last.ckpt")):
        caplog.clear()
        task, bar = make_task(), IterationProgressBar()
        trainer = make_trainer(tmp_path, task, iterations, [bar, Checkpointing()], enable_progress_bar=True)
        trainer.fit(task, datamodule=make_data(image_folder), ckpt_path=checkpoint, weights_only=True)
        said = re.findall(r"iteration (\d+) of (\d+) \(\d+ %\), (.*) left, [\d.]+ img/s", caplog.text)
        assert [line[:2] for line in said] == [(str(n), str(iterations)) for n in range(iterations - 1, iterations + 1)]
        assert said[-1][2] == "0 s"
    assert "\r" not in "".join(capsys.readouterr()), "no line that is written anew"


def test_the_rate_is_that_of_the_images_of_an_iteration_now(
    tmp_path: Path, image_folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resume may have changed it, and then the mean of all iterations is another number."""
    task, bar = make_task(), IterationProgressBar()
    task.iteration, task.images_seen, task.images_now = 8, 32, 16
    monkeypatch.setattr(bar, "_first", 4)
    assert bar._state(task).images == 16


def test_lines_become_rarer(tmp_path: Path, image_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    bar = IterationProgressBar()
    task = make_task()
    trainer = make_trainer(tmp_path, task, 1, [bar], enable_progress_bar=True)
    trainer.fit(task, datamodule=make_data(image_folder))
    assert " left" not in caplog.text, "none in the first seconds"
    begin, pauses = bar._started, []
    for second in range(400):
        bar._said -= 1.0  # as if a second had gone by
        before = caplog.text.count(" left")
        bar.on_train_batch_end(trainer, task, None, None, 0)
        if caplog.text.count(" left") > before:
            pauses.append(second)
    assert begin == bar._started
    assert [later - sooner for sooner, later in itertools.pairwise(pauses)][:4] == [20, 40, 60, 60]


def test_the_line_says_what_is_left() -> None:
    def line(*state: float) -> str:
        return progress_line(Progress(*state))  # type: ignore[arg-type]

    assert line(400, 1700, 400, 190.5, 32).startswith("400/1700 (23 %)  10 min 19 s left  67 img/s")
    assert line(1, 1000001, 1, 1.0, 4).startswith("1/1000001 (0 %)  11 d 13 h left  4.0 img/s")
    assert line(1100, 2000, 100, 400.0, 1) == "1100/2000 (55 %)  1 h 0 min left  4.0 s/it"
    assert line(2000, 2000, 1000, 10.0, 8) == "2000/2000 (100 %)  0 s left  800 img/s"
    assert line(0, 2000, 0, 0.0) == "0/2000 (0 %)"


def test_the_longest_line_fits_80_columns_or_loses_its_last_parts() -> None:
    terms = {"D": -1.62, "G": 10.51, "hole": 0.23}
    long = progress_line(Progress(100000, 100000, 50000, 1e5, 256, 12_300_000_000, terms))
    assert fitted(long, 79) == long
    assert fitted(long, 60).endswith(" GB")
    assert fitted(long, 10) == long[:10]


@pytest.mark.parametrize("columns", [80, pytest.param(120, marks=pytest.mark.slow)])
def test_a_terminal_shows_one_line_and_what_the_run_is(tmp_path: Path, image_folder: Path, columns: int) -> None:
    options = ["--iterations=6", "--trainer.log_every_n_steps=1", "--trainer.val_check_interval=3"]
    command = [sys.executable, str(ROOT / "cli.py"), *arguments(image_folder, tmp_path / "run", *options)]
    code, shown = in_a_terminal(command, columns)
    assert code == 0
    states = re.findall(r"\x1b\[K((?:\d+/6|validation)[^\r\n]*)", shown)
    assert all(len(state) < columns for state in states)
    last = re.compile(r"6/6 \(100 %\)  0 s left  [\d.]+ img/s  [\d.]+ GB  D -?[\d.]+ G -?[\d.]+")
    assert last.fullmatch(states[-1])
    assert any(state.startswith("validation 1/") for state in states)
    for word in ("trains", "data", "length      6 iterations", "run folder", "to stop"):
        assert word in shown
    for noise in ("GPU available", "TPU", "FLOPs", "Seed set", "eval mode", "it/s, train/"):
        assert noise not in shown


def test_without_a_terminal_there_is_a_header_and_no_control_characters(
    tmp_path: Path, image_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments(image_folder, tmp_path / "run", "--iterations=2")) == 0
    shown = capfd.readouterr()
    assert "length      2 iterations" in shown.out
    assert "\x1b" not in shown.out + shown.err
    assert "\r" not in shown.out + shown.err


def test_a_long_measurement_says_how_far_it_is(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    bar = IterationProgressBar()
    for done in range(1, 5):
        bar._said -= 25.0  # as if so many seconds had gone by
        bar.show_part("metrics: generated images", done, 8)
    assert [record.getMessage() for record in caplog.records] == ["metrics: generated images 3 of 8"]


def test_a_measurement_knows_its_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[tuple[str, int, int | None]] = []
    bar = IterationProgressBar()
    monkeypatch.setattr(bar, "show_part", lambda *part: shown.append(part))
    trainer = make_trainer(tmp_path, make_task(), 1, [bar], enable_progress_bar=True)
    list(with_progress(trainer, "generating", torch.arange(5).split(2)))
    assert shown == [("metrics: generating", done, 3) for done in (1, 2, 3)]


def test_an_error_begins_on_a_line_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    bar = IterationProgressBar()
    bar._terminal = True
    bar._write("4/8 (50 %)")
    bar.on_exception()
    print("error: x")
    assert capsys.readouterr().out.endswith("4/8 (50 %)\nerror: x\n")

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

from callbacks import Checkpointing, IterationProgressBar, progress
from callbacks.progress import progress_line
from tests.command_line.small_runs import ROOT, arguments
from tests.training import make_data, make_task, make_trainer


def test_progress_counts_iterations_of_the_whole_run(
    tmp_path: Path, image_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    for iterations, checkpoint in ((3, None), (8, tmp_path / "checkpoints" / "last.ckpt")):
        task, bar = make_task(), IterationProgressBar(refresh_rate=1)
        trainer = make_trainer(tmp_path, task, iterations, [bar, Checkpointing()], enable_progress_bar=True)
        trainer.fit(task, datamodule=make_data(image_folder), ckpt_path=checkpoint, weights_only=True)
        assert (bar.train_progress_bar.n, bar.train_progress_bar.total) == (iterations, iterations)
        assert bar.train_progress_bar.initial == (0 if checkpoint is None else 3)
        assert {"train/generator/adversarial", "train/discriminator/adversarial"} <= set(bar._newest)


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
        task, bar = make_task(), IterationProgressBar(refresh_rate=1)
        trainer = make_trainer(tmp_path, task, iterations, [bar, Checkpointing()], enable_progress_bar=True)
        trainer.fit(task, datamodule=make_data(image_folder), ckpt_path=checkpoint, weights_only=True)
        said = re.findall(r"iteration (\d+) of (\d+), [\d.]+ (?:it/s|s/it), (.*) left", caplog.text)
        assert [line[:2] for line in said] == [(str(n), str(iterations)) for n in range(iterations - 1, iterations + 1)]
        assert said[-1][2] == "0 s"
    assert "iterations:" not in "".join(capsys.readouterr()), "no bar"


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
    assert progress_line(400, 1700, 400, 190.5).endswith(", 10 min 19 s left")
    assert progress_line(1, 1000001, 1, 1.0).endswith("1.0 it/s, 11 d 13 h left")
    assert progress_line(1100, 2000, 100, 400.0) == "iteration 1100 of 2000, 4.0 s/it, 1 h 0 min left"
    assert progress_line(2000, 2000, 1000, 10.0) == "iteration 2000 of 2000, 100.0 it/s, 0 s left"


@pytest.mark.slow
def test_a_terminal_shows_the_bar_with_the_time_left(tmp_path: Path, image_folder: Path) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))  # rows and columns
    command = [sys.executable, str(ROOT / "cli.py"), *arguments(image_folder, tmp_path / "run", "--iterations=20")]
    with subprocess.Popen(command, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        try:
            while block := os.read(ours, 65536):
                shown += block
        except OSError:  # the other side is closed
            pass
    os.close(ours)
    assert process.returncode == 0
    assert re.search(rb"iterations:.*20/20 \[\d\d:\d\d<00:00", shown)
    assert b" left" not in shown

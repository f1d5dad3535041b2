"""Runs in which one process works for long while the other waits: none is ended for it."""

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.command_line.several_processes import Run, fit, iterations
from tests.command_line.small_runs import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")

# Seconds, longer than the timeout below and the grace period of these runs, and than signs of life stay fresh.
SLOW = 20
CALLBACKS = f'''
"""Callbacks that work long in one process."""
import time
from datetime import timedelta
from pathlib import Path
import torch.distributed
from pytorch_lightning.callbacks import Callback

class Impatient(Callback):
    """Collectives have a timeout of seconds, once all processes have started, which takes longer on a busy machine."""
    def on_train_batch_start(self, trainer, task, batch, batch_idx):
        if task.iteration == 1:
            torch.distributed.distributed_c10d._set_pg_timeout(timedelta(seconds=10), torch.distributed.group.WORLD)

class SlowMetric(Impatient):
    """In the first process, for which the other waits in a broadcast."""
    def on_validation_epoch_end(self, trainer, task):
        if trainer.is_global_zero:
            Path(trainer.default_root_dir, "measures").touch()
            time.sleep({SLOW})
        assert trainer.strategy.broadcast(trainer.global_rank) == 0

class SlowCheckpoint(Impatient):
    """In the first process, for which the other waits in the barrier after it."""
    def on_save_checkpoint(self, trainer, task, checkpoint):
        if trainer.is_global_zero:
            time.sleep({SLOW})

class SlowStart(Callback):
    """In the second process, for which the first waits in the first backward pass, as for a compilation."""
    def on_train_batch_start(self, trainer, task, batch, batch_idx):
        if task.iteration == 1 and trainer.global_rank == 1:
            Path(trainer.default_root_dir, "compiles").touch()
            time.sleep({SLOW})
'''
SHORT = ["--trainer.devices=2", "--trainer.grace_seconds=3"]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "slow_callbacks.py").write_text(CALLBACKS)
    return tmp_path


def run_with(place: Path, image_folder: Path, callback: str, *more: str) -> Run:
    argv = fit(image_folder, place / "run", *SHORT, f"--trainer.callbacks+=slow_callbacks.{callback}", *more)
    return Run(place, argv, env={"PYTHONPATH": f"{ROOT}:{place}"})


@pytest.mark.slow
def test_a_long_metric_and_its_stop_signal(image_folder: Path, place: Path) -> None:
    """It outlasts the timeout; SIGTERM is honored after it, with a checkpoint."""
    more = ["--trainer.val_check_interval=2", "--iterations=100"]
    with run_with(place, image_folder, "SlowMetric", *more) as run:
        run.until((place / "run" / "measures").exists)
        for pid in (run.process.pid, run.process_of_rank(1)):
            os.kill(pid, signal.SIGTERM)
        assert run.code(120) == 143
        assert "\nerror" not in run.said()
    assert iterations(place / "run") == [3]  # the iteration after it


@pytest.mark.slow
def test_a_long_write_of_a_checkpoint(image_folder: Path, place: Path) -> None:
    more = ["--iterations=2"]
    with run_with(place, image_folder, "SlowCheckpoint", *more) as run:
        assert run.code(120) == 0
    assert iterations(place / "run") == [2]


@pytest.mark.slow
def test_a_stop_signal_while_one_process_compiles(image_folder: Path, place: Path) -> None:
    """The other waits for it in a collective for longer than the grace period, and saves afterwards."""
    with run_with(place, image_folder, "SlowStart") as run:
        run.until((place / "run" / "compiles").exists)
        for pid in (run.process.pid, run.process_of_rank(1)):
            os.kill(pid, signal.SIGTERM)
        assert run.code(120) == 143
        assert "\nerror" not in run.said()
    assert iterations(place / "run") == [2]

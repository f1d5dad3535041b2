"""Runs of two real processes, of which one dies, hangs, is stopped or fails: all end, with a sentence and a code."""

import itertools
import os
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest

from lit_an.data.sampler import EndlessSampler
from lit_an.machine.workers import LAUNCHER
from tests.command_line.several_processes import Run, fit, is_alive, iterations
from tests.training import make_data

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")
TWO = "--trainer.devices=2"


def trains(folder: Path) -> bool:
    return (folder / "metrics.csv").exists()


def test_the_others_end_soon_after_a_process_was_killed(image_folder: Path, tmp_path: Path) -> None:
    """As by the system when memory runs out: the first process saves what it has, and says how to go on."""
    folder = tmp_path / "run"
    with Run(tmp_path, fit(image_folder, folder, TWO)) as run:
        run.until(lambda: trains(folder))
        os.kill(run.process_of_rank(1), signal.SIGKILL)
        assert run.code(60) == 75
        said = run.said()
    assert "process 1 of the run was ended by SIGKILL; the last checkpoint is" in said
    assert f"resume with --ckpt_path {folder}\n" in said
    assert "Traceback" not in said
    assert len(iterations(folder)) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_a_signal_to_one_process_stops_all(number: int, image_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with Run(tmp_path, fit(image_folder, folder, TWO)) as run:
        run.until(lambda: trains(folder))
        second = run.process_of_rank(1)
        os.kill(second, signal.SIGUSR1)
        run.until(lambda: iterations(folder))  # saves, and goes on
        os.kill(second, number)
        assert run.code(60) == 128 + number
        assert "Traceback" not in run.said()
        assert len(iterations(folder)) == 2
        deadline = time.monotonic() + 30
        while is_alive(second):
            assert time.monotonic() < deadline
            time.sleep(0.1)


@pytest.mark.parametrize("when", ["at the start", pytest.param("in training", marks=pytest.mark.slow)])
def test_processes_end_with_a_killed_launcher(when: str, image_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with Run(tmp_path, fit(image_folder, folder, TWO)) as run:
        run.until(lambda: run.descendants() if when == "at the start" else trains(folder))
        others = run.descendants()
        run.process.kill()
        assert run.code() == 128 + signal.SIGKILL
        deadline = time.monotonic() + 30
        while any(map(is_alive, others)):
            assert time.monotonic() < deadline, run.said()
            time.sleep(0.1)
        assert "error in process 1: " in run.said()
        assert "Traceback" not in run.said()


@pytest.mark.slow
def test_a_process_ends_with_a_killed_torchrun(image_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=1", "cli.py"]
    with Run(tmp_path, fit(image_folder, folder), program=launch) as run:
        run.until(lambda: trains(folder))
        process = run.process_of_rank(0)
        run.process.kill()
        run.process.wait()
        deadline = time.monotonic() + 30
        while is_alive(process):
            assert time.monotonic() < deadline, run.said()
            time.sleep(0.1)
        assert f"error in process 0: its launcher, process id {run.process.pid}, has ended" in run.said()


def test_a_run_goes_on_when_its_shell_ends(image_folder: Path, tmp_path: Path) -> None:
    """As under nohup: no launcher has started it, even if one has left its name in the environment."""
    folder = tmp_path / "run"
    argv = fit(image_folder, folder, "--iterations=3")
    script = "import os, subprocess, sys; subprocess.Popen([sys.executable, *sys.argv[1:]])"
    with Run(tmp_path, argv, program=["-c", script, "cli.py"], env={LAUNCHER: "1"}) as shell:
        assert shell.code() == 0
        deadline = time.monotonic() + 120
        while iterations(folder) != [3]:
            assert time.monotonic() < deadline, shell.said()
            time.sleep(0.1)


@pytest.mark.slow
def test_a_stop_signal_is_honored_while_another_process_hangs(image_folder: Path, tmp_path: Path) -> None:
    """Python's handlers do not run, since the main thread waits in C++; the timeout is far away."""
    folder = tmp_path / "run"
    with Run(tmp_path, fit(image_folder, folder, TWO, "--trainer.grace_seconds=3")) as run:
        run.until(lambda: trains(folder))
        second = run.process_of_rank(1)
        os.kill(second, signal.SIGSTOP)
        time.sleep(1)
        run.process.send_signal(signal.SIGTERM)
        assert run.code(60) == 143
        assert "stopped by SIGTERM without a new checkpoint: in iteration " in run.said()
        assert "this process has waited " in run.said()
        assert not is_alive(second)


@pytest.mark.slow
def test_a_second_stop_signal_ends_a_process_that_waits(image_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with Run(tmp_path, fit(image_folder, folder, TWO, "--trainer.grace_seconds=200")) as run:
        run.until(lambda: trains(folder))
        os.kill(run.process_of_rank(1), signal.SIGSTOP)
        time.sleep(2)
        run.process.send_signal(signal.SIGTERM)
        time.sleep(1)
        run.process.send_signal(signal.SIGTERM)
        assert run.code(60) == 143


@pytest.mark.slow
def test_bad_input_of_one_process_is_the_exit_code_of_all(image_folder: Path, tmp_path: Path) -> None:
    """A damaged file is read by one process only."""
    images = tmp_path / "images"
    shutil.copytree(image_folder, images)
    dataset = make_data(images, val_fraction=0.1).dataset("train")
    draws = list(itertools.islice(EndlessSampler(len(dataset)), 22))
    damaged = dataset.file(draws[21].index)  # of the second process
    assert damaged is not None
    damaged.write_bytes(damaged.read_bytes()[:200])
    with Run(tmp_path, fit(images, tmp_path / "run", TWO)) as run:
        assert run.code(120) == 2
        assert "error in process 1: the image " in run.said()
        assert "process 1 of the run ended with exit code 2" in run.said()
        assert "Traceback" not in run.said()

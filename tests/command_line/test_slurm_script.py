"""The script for SLURM with real small runs of two tasks; srun and scontrol are stand-ins on PATH."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_line.several_processes import Run, fit, iterations
from tests.command_line.small_runs import ROOT, load

SCRIPT = str(ROOT / "scripts" / "slurm.sbatch")
# Starts two tasks, passes TERM on to both, and ends with the highest of their exit codes, as srun does.
SRUN = """#!/bin/bash
while [[ $1 == --* ]]; do shift; done
for task in 0 1; do SLURM_PROCID=$task SLURM_LOCALID=$task "$@" & tasks="$tasks $!"; done
trap 'kill -TERM $tasks; signaled=1' TERM
highest=0
for task in $tasks; do
    signaled=1
    while [ $signaled = 1 ]; do signaled=0; wait $task; code=$?; done
    [ $code -gt $highest ] && highest=$code
done
exit $highest
"""
JOB = {
    "SLURM_JOB_ID": "4711",
    "SLURM_JOB_NAME": "lit_an",
    "SLURM_NTASKS": "2",
    "SLURM_NTASKS_PER_NODE": "2",
    "SLURM_NNODES": "1",
    "SLURM_NODEID": "0",
    "MASTER_ADDR": "127.0.0.1",
}


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder with srun, scontrol, which writes down what it is asked for, and python."""
    folder = tmp_path / "programs"
    folder.mkdir()
    scripts = {
        "srun": SRUN,
        "scontrol": f'#!/bin/bash\necho "$@" >> {tmp_path}/scontrol.txt\n',
        "python": f'#!/bin/bash\nexec {sys.executable} "$@"\n',
    }
    for name, text in scripts.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder


def start(tmp_path: Path, programs: Path, argv: list[str], **job: str) -> Run:
    env = {"PATH": f"{programs}:{os.environ['PATH']}", **JOB, **job}
    # The stand-in for sbatch: the batch script is started with what it was given.
    script = ["-c", "import os, sys; os.execv('/bin/bash', ['bash', *sys.argv[1:]])", SCRIPT]
    return Run(tmp_path, argv, program=script, env=env)


def options(image_folder: Path, folder: Path, *more: str) -> list[str]:
    given = fit(image_folder, folder, "--trainer.devices=2", *more)
    return [str(folder), *(option for option in given[1:] if not option.startswith("--run_folder"))]


@pytest.mark.slow
def test_a_run_is_requeued_at_its_time_limit_and_ends_at_the_second_start(
    image_folder: Path, tmp_path: Path, programs: Path
) -> None:
    folder, asked = tmp_path / "run", tmp_path / "scontrol.txt"
    with start(tmp_path, programs, options(image_folder, folder)) as job:
        job.until((folder / "metrics.csv").exists)
        job.process.send_signal(signal.SIGUSR1)
        assert job.code(120) == 0, job.said()
        assert "the run ended with 143: requeued" in job.said()
        assert "Traceback" not in job.said()
        assert "auto-requeue" not in job.said()  # Lightning's
    assert asked.read_text() == "requeue 4711\n"
    (saved,) = iterations(folder)
    argv = options(image_folder, folder, f"--iterations={saved + 2}")
    with start(tmp_path, programs, argv, SLURM_RESTART_COUNT="1") as job:
        assert job.code(120) == 0, job.said()
    assert asked.read_text() == "requeue 4711\n"
    assert iterations(folder) == [saved, saved + 2]
    assert load(folder)["lit_an"]["processes"] == 2  # type: ignore[index]


@pytest.mark.slow
def test_a_preempted_run_is_requeued(image_folder: Path, tmp_path: Path, programs: Path) -> None:
    folder = tmp_path / "run"
    with start(tmp_path, programs, options(image_folder, folder)) as job:
        job.until((folder / "metrics.csv").exists)
        job.process.send_signal(signal.SIGTERM)
        assert job.code(120) == 0, job.said()
    assert (tmp_path / "scontrol.txt").read_text() == "requeue 4711\n"
    assert len(iterations(folder)) == 1


@pytest.mark.parametrize(
    ("code", "requeued"), [(0, False), (2, False), (3, False), (70, False), (130, False), (75, True), (143, True)]
)
def test_only_some_exit_codes_requeue(code: int, requeued: bool, tmp_path: Path, programs: Path) -> None:
    (programs / "srun").write_text(f"#!/bin/bash\nexit {code}\n")
    for restarts, again in (("0", requeued), ("100", False)):
        (tmp_path / "scontrol.txt").write_text("")
        env = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", **JOB, "SLURM_RESTART_COUNT": restarts}
        ended = subprocess.run(["bash", SCRIPT, "run"], env=env, cwd=tmp_path, capture_output=True, check=False)
        assert ended.returncode == (0 if again else code)
        assert (tmp_path / "scontrol.txt").read_text() == ("requeue 4711\n" if again else "")


def test_a_run_that_never_writes_a_checkpoint_is_requeued_twice(tmp_path: Path, programs: Path) -> None:
    """Bad input that only the first task sees: the others end with 75, and srun shows the highest code."""
    checkpoint = tmp_path / "run" / "checkpoints" / "last.ckpt"
    checkpoint.parent.mkdir(parents=True)
    env = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", **JOB}
    codes = []
    for writes in (False, False, True, False, False, False):
        (programs / "srun").write_text("#!/bin/bash\n" + f"date +%N > {checkpoint}\n" * writes + "exit 75\n")
        command = ["bash", SCRIPT, str(tmp_path / "run")]
        codes.append(subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, check=False).returncode)
    assert codes == [0, 0, 0, 0, 0, 75]
    assert not list(tmp_path.glob("*.fruitless"))


def test_the_script_wants_a_folder(programs: Path) -> None:
    ended = subprocess.run(["bash", SCRIPT], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (2, "usage: sbatch scripts/slurm.sbatch RUN_FOLDER [options of fit]\n")

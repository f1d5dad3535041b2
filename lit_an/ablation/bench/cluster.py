"""Cells as jobs of submitit: on a SLURM cluster, or as processes of this machine."""

import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from lit_an.ablation.bench.cells import Cell
from lit_an.ablation.bench.processes import Ended, Outcome, RunningCell, Say, report
from lit_an.errors import InputError, needs_package

Cluster = Literal["slurm", "local"]
_POLL = 1.0  # seconds
_TIME_TO_SAVE = 120.0  # seconds
# A job has one task, so Lightning starts the other processes of a run on several GPUs itself, as it does without SLURM.
_ONE_TASK = {"SLURM_JOB_NAME": "interactive"}


class CellJob:
    """What a job does: it runs one cell, and goes on with it when the scheduler ends it early.

    Args:
        cell: to begin or to go on with.
        code: hash of the code.
        command: what starts a command line of lit_an.
    """

    def __init__(self, cell: Cell, code: str, command: Sequence[str]) -> None:
        self.cell, self.code, self.command = cell, code, list(command)
        self._running: RunningCell | None = None

    def __call__(self) -> Outcome:
        """Runs the cell to its end."""
        self._running = RunningCell(self.cell, self.code, self.command, _ONE_TASK)
        while (outcome := self._running.poll()) is None:
            time.sleep(_POLL)
        return outcome

    def checkpoint(self) -> Any:
        """Lets the run save; submitit calls it before a job is ended, and starts what it returns as a new job."""
        import submitit

        if self._running is not None:
            self._running.stop()
            try:
                self._running.process.wait(_TIME_TO_SAVE)
            except subprocess.TimeoutExpired:
                self._running.kill()
        return submitit.helpers.DelayedSubmission(CellJob(self.cell, self.code, self.command))


def run_on_cluster(
    cells: Sequence[Cell],
    code: str,
    command: Sequence[str],
    cluster: Cluster,
    parameters: Mapping[str, Any],
    folder: Path,
    say: Say,
) -> Ended:
    """Submits each cell as a job and waits for all; jobs go on if this process ends.

    Args:
        cells: to begin or to go on with.
        code: hash of the code.
        command: what starts a command line of lit_an.
        cluster: ``slurm``, or ``local`` for processes of this machine.
        parameters: of submitit's executor, such as ``timeout_min``, ``slurm_partition`` or ``gpus_per_node``.
        folder: for submitit's files; all machines share it.
        say: takes a line about what happens.

    Raises:
        InputError: submitit is not installed, or does not know a parameter or the cluster.
    """
    try:
        import submitit
    except ImportError as error:
        raise needs_package("jobs on a cluster need", "submitit", "ablation", error) from error
    folder.mkdir(parents=True, exist_ok=True)
    try:
        executor = submitit.AutoExecutor(folder=folder, cluster=cluster)
        executor.update_parameters(**parameters)
        jobs = [(cell, executor.submit(CellJob(cell, code, command))) for cell in cells]
    except (NameError, TypeError, ValueError, RuntimeError, AssertionError) as error:
        raise InputError(f"submitit cannot use the cluster {cluster!r}: {' '.join(str(error).split())}") from error
    for cell, job in jobs:
        say(f"{cell.name}: job {job.job_id}")
    ended: list[Outcome] = []
    waiting = list(jobs)
    while waiting:
        for cell, job in list(waiting):
            if not job.done():
                continue
            waiting.remove((cell, job))
            failure = job.exception()
            if failure is None:
                outcome = job.result()
            else:
                last = str(failure).strip().splitlines()[-1]
                say(f"{cell.name}: its job {job.job_id} failed ({last}); {job.paths.stderr}")
                outcome = Outcome(cell, "failed", 1, 0.0)
            ended.append(outcome)
            report(outcome, f"{len(ended)} of {len(cells)}", say)
        time.sleep(_POLL)
    return Ended(ended)

"""Making all shards of a plan with several processes, going on after a kill where it stopped."""

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from tqdm import tqdm

from lit_an.data.preparation.outcome import Outcome, outcome_of
from lit_an.data.preparation.plan import Job, Part, Plan, claim_folder, jobs_of
from lit_an.data.preparation.shard_making import make, record_of
from lit_an.data.shards.format import engine
from lit_an.data.shards.manifest import Recipe, check_recipe
from lit_an.errors import InputError, at_least
from lit_an.files import explain_write_errors, remove_leftovers


def prepare(
    plan: Plan,
    folder: Path,
    recipe: Recipe,
    num_workers: int = 1,
    max_failed: float = 0.0,
    part: Part = Part(),  # noqa: B008, it is a tuple
) -> Outcome:
    """Makes the shards that are not there yet; when all are, the manifest and the report.

    The bytes depend on the source and the recipe alone, not on ``num_workers``, on the number of parts or on how often
    this was killed. A shard counts as there if its own bytes and those of the files that it was made of are what they
    were, and if no file that could not be read can be read now.

    Args:
        plan: the pictures.
        folder: where the shards go: ``<split>/<number>.arrow``.
        recipe: how they are made.
        num_workers: processes.
        max_failed: share of pictures that may be unreadable, 0 … 1; above it there will be no manifest.
        part: of several that are made at the same time, on any machines that share the folder. The last to finish
            writes the manifest.

    Raises:
        InputError: an impossible value, a folder that holds shards of another source or recipe or cannot be written,
            no package for the format, or a process that the system killed.
    """
    check_recipe(recipe)
    if not 0.0 <= max_failed <= 1.0:
        raise InputError(f"prepare: max_failed must be between 0 and 1, got {max_failed}")
    at_least("prepare", 1, num_workers=num_workers)
    engine()
    with explain_write_errors(folder, "prepare", "make room or choose another folder; what is finished is kept"):
        key = claim_folder(folder, plan, recipe)
        jobs = jobs_of(plan, recipe)
        if part.total == 1:
            _remove_leftovers(folder, plan)
        mine = dict(_made(plan, jobs[part.number - 1 :: part.total], folder, recipe, key, num_workers))
        records = [mine.get(job) or record_of(job, folder, key) for job in jobs]
        finished = [record for record in records if record is not None]
        if len(finished) < len(jobs):
            return Outcome(None, "", len(jobs) - len(finished), 0)
        _remove_leftovers(folder, plan)
        return outcome_of(plan, finished, folder, recipe, max_failed)


def _remove_leftovers(folder: Path, plan: Plan) -> None:
    for split in plan.splits:
        remove_leftovers(folder / split)


def _made(
    plan: Plan, jobs: list[Job], folder: Path, recipe: Recipe, key: str, num_workers: int
) -> Iterator[tuple[Job, dict[str, Any]]]:
    with (
        ProcessPoolExecutor(num_workers, initializer=_start, initargs=(plan, folder, recipe, key, os.getpid())) as pool,
        # disable=None: a bar on a terminal, nothing in a log file.
        tqdm(desc="preparing", total=sum(job.stop - job.start for job in jobs), unit="img", disable=None) as bar,
    ):
        try:
            for job, record in zip(jobs, pool.map(_work, jobs), strict=True):
                bar.update(job.stop - job.start)
                yield job, record
        except BrokenProcessPool as error:
            raise InputError(
                f"prepare: one of its processes was killed, perhaps for lack of memory; make num_workers less than "
                f"{num_workers} if you can, and run it again: the shards that are finished in {str(folder)!r} are kept"
            ) from error


# What a process makes shards of: sent once, not with every job.
_TASK: list[Any] = []


def _start(plan: Plan, folder: Path, recipe: Recipe, key: str, parent: int) -> None:
    _TASK[:] = [plan, folder, recipe, key]
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """Ends this process soon after the one that started it was killed: nobody else would."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _work(job: Job) -> dict[str, Any]:
    plan, folder, recipe, key = _TASK
    return make(job, plan.splits[job.split], folder, recipe, key)

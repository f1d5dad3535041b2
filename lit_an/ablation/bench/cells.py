"""The cells of a plan: one run folder each, and what is known of it."""

import fcntl
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from lit_an.ablation.bench.plan import Plan, Variant, arguments_of, config_hash
from lit_an.files import json_text, replacing
from lit_an.run_report.reading import RECORD, TABLE

State = Literal["new", "unfinished", "done", "failed", "diverged", "removed", "changed", "other code"]
# What the file of a cell says of its last process.
Status = Literal["running", "done", "failed", "stopped"]
FORMER = "former"
NOT_FINITE = 3  # exit code of a training that diverged; from its last checkpoint it would do so again


@dataclass(frozen=True, eq=False)
class Cell:
    """One run of a plan.

    Its run folder is an ordinary one; beside it stand ``<folder>.json``, what was started there, and ``<folder>.log``,
    what it printed.

    Args:
        variant: of the plan.
        seed: of its random numbers.
        folder: its run folder.
    """

    variant: Variant
    seed: int
    folder: Path

    @property
    def name(self) -> str:
        """For lines: ``attentive, seed 0``."""
        return f"{self.variant.name}, seed {self.seed}"

    @property
    def record(self) -> Path:
        """The file of what was started."""
        return self.folder.with_name(f"{self.folder.name}.json")

    @property
    def log(self) -> Path:
        """The file of what the run printed, over all its processes."""
        return self.folder.with_name(f"{self.folder.name}.log")

    @property
    def lock(self) -> Path:
        """The file that a process of this run holds."""
        return self.folder.with_name(f"{self.folder.name}.lock")

    def arguments(self) -> list[str]:
        """Arguments of the command line that begins this run, or goes on with it."""
        return ["fit", *arguments_of(self.variant, self.seed), f"--run_folder={self.folder}", "--ckpt_path=auto"]

    def hash(self) -> str:
        """See ``config_hash``."""
        return config_hash(self.variant, self.seed)


def cells_of(plan: Plan, output: Path) -> list[Cell]:
    """The cells of a plan: all variants with the first seed, then all with the second, …, so that half of a bench has
    all variants.

    Args:
        plan: what to run.
        output: folder of its cells.
    """
    variants = plan.variants()
    return [Cell(each, seed, output / each.folder / f"seed_{seed}") for seed in plan.seeds for each in variants]


def state_of(cell: Cell, code: str | None) -> State:
    """What a call has to do with a cell.

    Args:
        cell: of a plan.
        code: hash of the code that would run it; None if any code's runs are as good.

    Returns:
        ``new``: never started; ``unfinished``: it can go on; ``done``; ``failed``: its last process ended with an
        error, and the run can go on; ``diverged``: its numbers are not finite; ``removed``: it was done, and its run
        folder is gone; ``changed``: another config was started there; ``other code``: other code was.
    """
    known = read_record(cell)
    if known is None:
        return "new"
    if known.get("config_hash") != cell.hash():
        return "changed"
    if code is not None and known.get("code") != code:
        return "other code"
    if known.get("status") == "done":
        return "done" if has_run(cell) else "removed"
    if known.get("status") == "failed":
        return "diverged" if known.get("exit_code") == NOT_FINITE else "failed"
    return "unfinished"


def has_run(cell: Cell) -> bool:
    """Whether there is a run in its folder, whatever its record says."""
    return any((cell.folder / name).is_file() for name in (TABLE, RECORD))


def read_record(cell: Cell) -> dict[str, Any] | None:
    """What the file of a cell says; None if there is none, or none that can be read."""
    try:
        content = json.loads(cell.record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def write_record(cell: Cell, code: str, status: Status, **more: Any) -> None:
    """Writes the file of a cell.

    Args:
        cell: of a plan.
        code: hash of the code that runs it.
        status: of its process.
        more: such as ``exit_code``.

    Raises:
        OutputError: the disk is full.
    """
    facts: Mapping[str, Any] = {
        "levels": dict(cell.variant.shown),
        "seed": cell.seed,
        "arguments": cell.arguments(),
        "config_hash": cell.hash(),
        "code": code,
        "status": status,
        **more,
    }
    with replacing(cell.record, durable=True) as temporary:
        temporary.write_text(json_text(facts), encoding="utf-8")


def put_aside(cell: Cell, output: Path) -> Path:
    """Moves what is in the place of a cell to ``<output>/former``, so that it can begin anew and nothing is lost.

    Returns:
        Where the run folder is now.
    """
    with locked(cell):
        return _moved(cell, output / FORMER / cell.folder.relative_to(output).parent)


@contextmanager
def locked(cell: Cell) -> Iterator[IO[str]]:
    """Waits until no process of a cell lives, and holds its lock.

    Yields:
        The open lock file; a process that inherits it holds the lock as long as it lives, also when this one does not.
    """
    cell.lock.parent.mkdir(parents=True, exist_ok=True)
    with cell.lock.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock


def is_busy(cell: Cell) -> bool:
    """Whether a process of a cell lives, such as one that a call before this one has started."""
    try:
        with cell.lock.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # there is none, or it cannot be asked
        return False
    return False


def _moved(cell: Cell, place: Path) -> Path:
    number = 1
    while any((place / f"{cell.folder.name}_{number}{ending}").exists() for ending in ("", ".json", ".log")):
        number += 1
    place.mkdir(parents=True, exist_ok=True)
    # The record last: what was moved in part is moved on by the next call.
    for path in (cell.folder, cell.log, cell.record):
        if path.exists():
            shutil.move(path, place / f"{cell.folder.name}_{number}{path.name.removeprefix(cell.folder.name)}")
    return place / f"{cell.folder.name}_{number}"

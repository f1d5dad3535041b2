"""Processes of cells on this machine: started, watched, stopped, reported."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO, Literal, NamedTuple

from lit_an.ablation.bench.cells import Cell, is_busy, locked, write_record
from lit_an.durations import in_words
from lit_an.files import explain_write_errors
from lit_an.machine.workers import named_launcher

Say = Callable[[str], None]
# A run that ended for a reason outside of it, and can go on; see docs/reliability.md.
CAN_GO_ON = 75
# Somebody else asked it to end: it has saved, or ended before there was anything to save.
_STOPPED = (CAN_GO_ON, *(sign for number in (signal.SIGINT, signal.SIGTERM) for sign in (128 + number, -number)))
# As callbacks.IterationProgressBar writes lines.
_PROGRESS = re.compile(
    r"iteration \d+ of .* left|iteration \d+, [\d.]+ (img/s|s/it)|(metrics: .*|validation) \d+ of \d+"
)
STILL_RUNS = "a process that an earlier call started still runs it; waits for its end"
_POLL = 0.1  # seconds
_FIRST, _PAUSE = 20.0, 60.0  # seconds to the first lines about running cells, and between later ones
_LAST_LINES = 8
_READ = 1 << 16  # bytes of a log


@dataclass(frozen=True)
class Outcome:
    """How a process of a cell ended.

    Attributes:
        cell: that it ran.
        status: ``stopped``: it can go on.
        exit_code: of the process; negative for a signal.
        seconds: from its start to its end.
    """

    cell: Cell
    status: Literal["done", "failed", "stopped"]
    exit_code: int
    seconds: float

    def last_lines(self) -> list[str]:
        """What it printed last."""
        return _lines(self.cell)[-_LAST_LINES:]


class Ended(NamedTuple):
    """What became of the cells of a call.

    Attributes:
        outcomes: of each that was started, in the order of their ends.
        stopped_by: the signal that stopped the call; None if none did.
    """

    outcomes: list[Outcome]
    stopped_by: int | None = None


class RunningCell:
    """A process that runs a cell; a second one for the same cell waits until it has ended.

    Args:
        cell: to begin or to go on with.
        code: hash of the code, for the cell's record.
        command: what starts a command line of lit_an, such as ``[python, cli.py]``.
        environment: variables in addition to those of this process.

    Raises:
        OutputError: the folder cannot be written.
    """

    def __init__(self, cell: Cell, code: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.cell, self._code = cell, code
        with explain_write_errors(cell.folder.parent, "ablate"), locked(cell) as lock:
            write_record(cell, code, "running")
            with cell.log.open("ab") as log:
                self.process = _start([*command, *cell.arguments()], log, lock, environment)
        self._began = time.monotonic()
        self._is_asked = False  # to end

    def poll(self) -> Outcome | None:
        """How it ended, once it has; writes the cell's record."""
        code = self.process.poll()
        if code is None:
            return None
        outcome = Outcome(self.cell, _status(code, self._is_asked), code, time.monotonic() - self._began)
        write_record(self.cell, self._code, outcome.status, exit_code=code, seconds=round(outcome.seconds, 1))
        return outcome

    def stop(self) -> None:
        """Asks it to save and end."""
        self._is_asked = True
        self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Ends it where it is."""
        self._is_asked = True
        self.process.kill()


def run_here(
    cells: Sequence[Cell],
    code: str,
    command: Sequence[str],
    slots: Sequence[Mapping[str, str]],
    say: Say,
) -> Ended:
    """Runs cells in their order, as many at a time as there are slots; a cell that fails stops nothing.

    A cell that another process still runs waits for that, behind the others.

    The first SIGINT or SIGTERM lets no further cell begin and asks the running ones to save; the second kills them.

    Args:
        cells: to begin or to go on with.
        code: hash of the code.
        command: what starts a command line of lit_an.
        slots: environment of each, such as the GPU that it may use.
        say: takes a line about what happens.
    """
    waiting, ended = list(cells), list[Outcome]()
    running: dict[int, RunningCell] = {}
    busy: set[Cell] = set()  # as far as it was said
    with _stop_signals() as received:
        told, said = 0, time.monotonic() + _FIRST - _PAUSE
        while running or (waiting and not received):
            free = [slot for slot in range(len(slots)) if slot not in running]
            for cell in list(waiting) if free else ():
                if received or not free:
                    break
                if is_busy(cell):
                    if cell not in busy:
                        say(f"{cell.name}: {STILL_RUNS}")
                        busy.add(cell)
                    continue
                slot = free.pop(0)
                waiting.remove(cell)
                say(f"{cell.name}: starts in {cell.folder}")
                running[slot] = RunningCell(cell, code, command, slots[slot])
            if len(received) > told:
                told = len(received)
                if told == 1:
                    say(f"{len(running)} running, asked to save and end; a second signal kills")
                for each in running.values():
                    (each.stop if told == 1 else each.kill)()
            for slot, each in list(running.items()):
                outcome = each.poll()
                if outcome is not None:
                    del running[slot]
                    ended.append(outcome)
                    report(outcome, f"{len(ended)} of {len(cells)}", say)
            if time.monotonic() - said >= _PAUSE:
                said = time.monotonic()
                for each in running.values():
                    say(f"{each.cell.name}: {progress(each.cell)}")
            time.sleep(_POLL)
        return Ended(ended, received[0] if received else None)


def progress(cell: Cell) -> str:
    """Its newest line about iterations and the time left, or about a measurement."""
    lines = [line for line in _lines(cell) if _PROGRESS.match(line)]
    return lines[-1] if lines else "no iteration yet"


def report(outcome: Outcome, count: str, say: Say) -> None:
    """Says how a cell ended; of one that failed its last lines."""
    name = f"{outcome.cell.name} ({count})"
    passed = in_words(outcome.seconds)
    if outcome.status == "done":
        say(f"{name}: done in {passed}")
    elif outcome.status == "stopped":
        say(f"{name}: stopped after {passed}; the next call goes on with it")
    else:
        say(f"{name}: failed after {passed} with exit code {outcome.exit_code}; {outcome.cell.log} ends in")
        for line in outcome.last_lines():
            say(f"    {line}")


def _lines(cell: Cell) -> list[str]:
    """The last lines of a cell's log, without empty ones."""
    try:
        with cell.log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _READ))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return []
    # A progress bar writes its line anew after a carriage return.
    lines = [line.rpartition("\r")[2].rstrip() for line in text.split("\n")]
    return [line for line in lines if line]


def _status(code: int, is_asked: bool) -> Literal["done", "failed", "stopped"]:
    """What an exit code means; a process that nobody asked to end, and that the system killed, has failed."""
    if code == 0:
        return "done"
    return "stopped" if is_asked or code in _STOPPED else "failed"


def _start(
    command: Sequence[str], log: IO[bytes], lock: IO[str], environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    # In a session of its own, so that a Ctrl-C reaches it once, from here.
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        pass_fds=(lock.fileno(),),
        start_new_session=True,
        env={**os.environ, **environment, **named_launcher()},
    )


@contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """A list that grows by each SIGINT and SIGTERM while the block runs."""
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)

    former = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def command_line() -> list[str]:
    """What starts a command line of this lit_an in a new process."""
    return [sys.executable, str(Path(__file__).parents[3] / "cli.py")]

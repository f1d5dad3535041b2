"""Runs the parts one after the other, each in a process of its own with a limit of time."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from lit_an.device_checks.parts import PARTS
from lit_an.device_checks.results import Result
from lit_an.machine.workers import named_launcher

_LAST = 300  # characters of what a process printed last
_PAUSE = 20.0  # seconds from one line about a running part to the next
_LEAST = 5.0  # seconds; a part is not begun with less


def run_parts(
    names: Sequence[str],
    device: str,
    dry_run: bool,
    folder: Path,
    seconds: float,
    key: dict[str, Any],
    say: Callable[[str], None],
) -> list[Result]:
    """Computes parts, or reads what an earlier call has computed whole with the same key.

    Args:
        names: of the parts.
        device: as torch names it.
        dry_run: tiny shapes.
        folder: for the files of the parts.
        seconds: for all parts together.
        key: what a result depends on beside its part; results with another are computed anew.
        say: tells a line.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found, end = [], time.monotonic() + seconds
    for number, name in enumerate(names, start=1):
        file = folder / f"{name}.json"
        before = Result.read(file)
        place = f"{number} of {len(names)}, {name}"
        if before is not None and before.is_complete and before.key == key:
            say(f"{place}: {_outcome(before)}, from an earlier call")
            found.append(before)
            continue
        left = end - time.monotonic()
        if left < _LEAST:
            say(f"{place}: not begun, the time is up")
            found.append(Result(name, ended="not begun: the time was up; the same command goes on here"))
            continue
        say(f"{place}: {PARTS[name].about()}")
        result = _run(name, device, dry_run, file, min(left, PARTS[name].seconds), partial(_say_at, say, place))
        result.key = key
        result.write(file)
        say(f"{place}: {_outcome(result)}, {result.seconds:.0f} s")
        found.append(result)
    return found


def _run(name: str, device: str, dry_run: bool, file: Path, seconds: float, say: Callable[[str], None]) -> Result:
    file.unlink(missing_ok=True)
    root = str(Path(sys.modules["lit_an"].__file__ or "").parent.parent)
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
    environment = {**os.environ, **named_launcher(), "PYTHONPATH": path}
    command = [sys.executable, "-m", "lit_an.device_checks", name, device, "dry_run" if dry_run else "-", str(file)]
    start = time.monotonic()
    # Made here, so that it is taken away when the part was killed.
    with (
        tempfile.TemporaryDirectory(prefix="lit_an_gpu_") as own,
        tempfile.TemporaryFile("w+", errors="replace") as said,
    ):
        process = subprocess.Popen([*command, own], env=environment, stdout=said, stderr=said, start_new_session=True)
        try:
            code = _watched(process, file, seconds, say)
        except BaseException:
            _end_all(process)
            raise
        said.seek(0)
        last = said.read()
    ended = f"stopped after {seconds:.0f} s; its rows are those that it had until then" if code is None else ""
    if code:
        ended = _ended(code, last)
    result = Result.read(file) or Result(name)
    result.seconds = time.monotonic() - start
    result.ended = "" if result.is_complete else ended or "ended early, without an error"
    return result


def _watched(process: "subprocess.Popen[bytes]", file: Path, seconds: float, say: Callable[[str], None]) -> int | None:
    """The exit code of a process; None if it was ended since it took too long."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        try:
            return process.wait(min(left, _PAUSE))
        except subprocess.TimeoutExpired:
            so_far = Result.read(file)
            say(f"{len(so_far.rows) if so_far else 0} rows so far")
    _end_all(process)
    return None


def _end_all(process: "subprocess.Popen[bytes]") -> None:
    """Ends a process and what it has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _ended(code: int, said: str) -> str:
    how = f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
    return f"{how}: {' '.join(said.split())[-_LAST:]}"


def _say_at(say: Callable[[str], None], place: str, line: str) -> None:
    say(f"{place}: {line}")


def _outcome(result: Result) -> str:
    problems = result.problems()
    if problems:
        return f"{problems} of {len(result.rows)} rows failed" if result.is_complete else result.ended
    return f"{len(result.rows)} rows" + ("" if result.is_complete else f", {result.ended}")

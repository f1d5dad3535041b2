"""Runs the parts one after the other, each in a process of its own with a limit of time."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lit_an.device_checks.parts import PARTS
from lit_an.device_checks.results import Result

_LAST = 300  # characters of what a process printed last
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
        result = _run(name, device, dry_run, file, min(left, PARTS[name].seconds))
        result.key = key
        result.write(file)
        say(f"{place}: {_outcome(result)}, {result.seconds:.0f} s")
        found.append(result)
    return found


def _run(name: str, device: str, dry_run: bool, file: Path, seconds: float) -> Result:
    file.unlink(missing_ok=True)
    root = str(Path(sys.modules["lit_an"].__file__ or "").parent.parent)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))}
    command = [sys.executable, "-m", "lit_an.device_checks", name, device, "dry_run" if dry_run else "-", str(file)]
    start = time.monotonic()
    process = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=seconds)
        ended = _ended(process.returncode, said)
    except subprocess.TimeoutExpired:
        _end_all(process)
        ended = f"stopped after {seconds:.0f} s; the rows above are what it had until then"
    except BaseException:
        _end_all(process)
        raise
    result = Result.read(file) or Result(name)
    result.seconds = time.monotonic() - start
    result.ended = "" if result.is_complete else ended
    return result


def _end_all(process: "subprocess.Popen[str]") -> None:
    """Ends a process and what it has started."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def _ended(code: int, said: str) -> str:
    how = f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
    return f"{how}: {' '.join(said.split())[-_LAST:]}"


def _outcome(result: Result) -> str:
    problems = result.problems()
    if problems:
        return f"{problems} of {len(result.rows)} rows failed" if result.is_complete else result.ended
    return f"{len(result.rows)} rows" + ("" if result.is_complete else f", {result.ended}")

"""Real runs of several processes for tests: started, looked at while they go on, and ended at the end of a test."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.command_line.small_runs import ROOT, arguments

# Without the variables that would make a run one of several processes already.
_PLACES = ("LOCAL_RANK", "RANK", "WORLD_SIZE", "NODE_RANK", "MASTER_ADDR", "MASTER_PORT", "LIT_AN_LAUNCHER")


class Run:
    """A command of the command line in the background, whose output goes to a file.

    Args:
        folder: of the output file; must exist.
        argv: of ``cli.py``.
        before: a command that runs Python, such as ``ip netns exec NAME``, and its options.
        program: what Python runs.
        env: changes to the environment.
    """

    def __init__(
        self,
        folder: Path,
        argv: Sequence[str],
        before: Sequence[str] = (),
        program: Sequence[str] = (str(ROOT / "cli.py"),),
        env: dict[str, str] | None = None,
    ) -> None:
        self.output = folder / f"output_{len(list(folder.glob('output_*')))}.txt"
        kept = {name: value for name, value in os.environ.items() if name not in _PLACES}
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [*before, sys.executable, *program, *argv],
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env={**kept, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), **(env or {})},
                start_new_session=True,
            )

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *args: object) -> None:
        for pid in (*self.descendants(), self.process.pid):
            for number in (signal.SIGKILL, signal.SIGCONT):
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    break
        self.process.wait()

    def said(self) -> str:
        return self.output.read_text(errors="replace")

    def until(self, there: Callable[[], object], seconds: float = 240) -> None:
        """Waits for something that happens while the run goes on."""
        deadline = time.monotonic() + seconds
        while not there():
            assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.said()[-3000:]}"
            assert time.monotonic() < deadline, f"not in {seconds} s:\n{self.said()[-3000:]}"
            time.sleep(0.05)

    def code(self, seconds: float = 240) -> int:
        """The exit code, as a shell shows it."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still there after {seconds} s:\n{self.said()[-3000:]}") from None
        return 128 - code if code < 0 else code

    def descendants(self) -> list[int]:
        """Process ids of its children and theirs."""
        found, parents = [self.process.pid], _parents()
        for pid in found:
            found += [child for child, parent in parents.items() if parent == pid]
        return found[1:]

    def process_of_rank(self, rank: int) -> int:
        """The process id of a local rank, by its environment."""
        for pid in (self.process.pid, *self.descendants()):
            try:
                entries = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if f"LOCAL_RANK={rank}".encode() in entries:
                return pid
        raise AssertionError(f"no process has local rank {rank}")


def fit(image_folder: Path, folder: Path, *more: str) -> list[str]:
    """Arguments of a long run with a checkpoint every second iteration, of few images."""
    return arguments(
        image_folder,
        folder,
        "--iterations=100000",
        "--data.batch_size=2",
        "--trainer.val_check_interval=null",
        *more,
    )


def iterations(folder: Path) -> list[int]:
    """Iterations of the checkpoints of a run."""
    names = [path.name for path in folder.glob("checkpoints/iteration_*.ckpt")]
    return sorted(int(re.findall(r"\d+", name)[0]) for name in names)


def is_alive(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def _parents() -> dict[int, int]:
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            found[int(stat.parent.name)] = int(stat.read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
    return found

"""Real processes that are killed in the middle of their work, without a chance to tidy up."""

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent


def kill_once_written(argv: list[str], file: Path) -> None:
    """Starts a command of the command line and kills it as soon as a file is there, or after five minutes."""
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "cli.py"), *argv],
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    deadline = time.monotonic() + 300
    while not file.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    process.kill()
    process.wait()

"""The page of `demo` as a process of its own, for tests."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent


@contextmanager
def served(*options: str, ends_with: str = "", **kwargs: Any) -> Iterator[tuple[str, str]]:
    """Starts ``cli.py demo`` and, after the block, ends it as somebody does: by Ctrl-C, with exit code 0.

    Args:
        options: of the command.
        ends_with: all that it prints after the address.
        kwargs: of the process, such as ``env``.

    Yields:
        The page's address, and what was printed up to it.
    """
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "cli.py"), "demo", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **kwargs,
    )
    try:
        lines: list[str] = []
        for line in process.stdout or ():
            lines.append(line)
            if "The page is at" in line:
                break
        found = re.search(r"http://127\.0\.0\.1:\d+/", lines[-1] if lines else "")
        assert found, "".join(lines)
        yield found[0], "".join(lines)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=120)
    finally:
        process.kill()
    assert (process.returncode, output) == (0, ends_with), output

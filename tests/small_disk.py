"""A disk of a few megabytes, to fill."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """Mounts a file system of ``size`` bytes at a folder; skips the test where that is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True, capture_output=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"a small disk cannot be mounted here: {error}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path, leave: int = 0) -> Path:
    """Writes a file that takes all room of the disk but ``leave`` bytes."""
    filler = folder / "filler.bin"
    facts = os.statvfs(folder)
    filler.write_bytes(bytes(max(0, facts.f_bavail * facts.f_frsize - leave)))
    return filler


def remount(folder: Path, mode: str) -> None:
    """Makes the disk read-only (``ro``) or writable again (``rw``)."""
    subprocess.run(["mount", "-o", f"remount,{mode}", str(folder)], check=True)

"""Locks on files: the system releases them when a process ends, however it ends.

On a system or a file system without locks everything goes on without them.
"""

import errno
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_PAUSE = 0.01  # seconds between two attempts
_TAKEN = (errno.EAGAIN, errno.EACCES)
# What this process holds, with its number: a fork has the dictionary and not the locks.
_held: dict[Path, tuple[IO[str], int]] = {}


@contextmanager
def locked(path: Path, wait: float = 2.0) -> Iterator[None]:
    """Inside, no other process is inside for the same file; a file that is not there is not locked.

    Args:
        path: a file that may be replaced inside the block.
        wait: seconds to wait for others; after that the block goes on without the lock, since one may be suspended.
    """
    file = _opened_and_locked(path, time.monotonic() + wait)
    try:
        yield
    finally:
        if file is not None:
            file.close()


def _opened_and_locked(path: Path, end: float) -> IO[bytes] | None:
    while fcntl is not None:
        try:
            file = path.open("rb+")
        except OSError:  # who writes it will say so
            return None
        try:
            # Not lockf: reading the file through another handle would release that.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_there(file, path):
                return file
        except OSError as error:
            if error.errno not in _TAKEN or time.monotonic() >= end:
                return file
            time.sleep(_PAUSE)
        file.close()  # another process holds it, or has replaced it meanwhile
    return None


def hold(path: Path) -> str | None:
    """Holds a lock file, which is made, until ``release`` or the end of this process.

    Args:
        path: the lock file.

    Returns:
        None if this process holds it, or if there are no locks; otherwise who does, in words.
    """
    if fcntl is None or _held.get(path.absolute(), (None, 0))[1] == os.getpid():
        return None
    while True:
        try:
            file = path.open("a+", encoding="utf-8")
        except OSError:
            return None
        try:
            # Not flock: loader processes would inherit it, and live some seconds longer than a killed run.
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            holder = file.read().strip() or "another process"
            file.close()
            return holder if error.errno in _TAKEN else None
        if _is_there(file, path):
            break
        file.close()  # its former holder has just removed it
    try:
        file.truncate(0)
        file.write(f"process {os.getpid()} on {platform.node()}")
        file.flush()
    except OSError:  # the disk is full: it is held without a name
        pass
    _held[path.absolute()] = file, os.getpid()
    return None


def release() -> None:
    """Removes and releases all lock files that this process holds."""
    for path, (file, process) in list(_held.items()):
        del _held[path]
        if process == os.getpid() and _is_there(file, path):
            path.unlink(missing_ok=True)
        with suppress(OSError):  # what a full disk has not taken
            file.close()


def _is_there(file: IO[Any], path: Path) -> bool:
    """Whether a path still leads to an open file."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError:
        return False

"""Files: written so that a kill at any moment leaves the old one or the new one, never a half; hashed; cached."""

import atexit
import functools
import hashlib
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yields a temporary path beside ``path``; renames it to ``path`` if the block ends without an error.

    Args:
        path: the file to write or replace; missing parent folders are made.

    Yields:
        An existing empty file in the same folder (so that the rename is atomic), with the same ending
        (so that libraries that look at it choose the right format).

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with replacing(folder / "note.txt") as temporary:
        ...     _ = temporary.write_text("whole")
        >>> sorted(file.name for file in folder.iterdir())
        ['note.txt']
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes the file private; give it the mode that open() would have given.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def sha256_of(path: Path) -> str:
    """Of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def cache_folder() -> Path:
    """``lit_an`` in ``$XDG_CACHE_HOME`` or ``~/.cache``; a folder of this process alone where there can be none.

    That one goes when the process ends; a warning says so, once.
    """
    try:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lit_an"
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError) as error:  # RuntimeError: there is no home directory
        return _own_cache(str(error))
    return folder if os.access(folder, os.W_OK | os.X_OK) else _own_cache(f"{folder} cannot be written to")


@functools.cache
def _own_cache(reason: str) -> Path:
    folder, process = tempfile.mkdtemp(prefix="lit_an_"), os.getpid()

    def remove() -> None:
        if os.getpid() == process:  # not in a fork
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    warnings.warn(
        f"there is no cache folder ({reason}): what is kept in one is made anew by each process; set XDG_CACHE_HOME to "
        "a folder that can be written to",
        stacklevel=3,
    )
    return Path(folder)

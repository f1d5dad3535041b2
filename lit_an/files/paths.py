"""Paths: as a user gives them, as a message prints them; the cache folder; hashes of files."""

import atexit
import functools
import hashlib
import os
import re
import shutil
import tempfile
import warnings
from pathlib import Path


def printable(text: str | Path) -> str:
    """Text that UTF-8 can encode: undecodable bytes of a file name become escapes such as ``\\udce9``.

    Example:
        >>> printable(os.fsdecode(b"caf\\xe9")) == "caf\\\\udce9"
        True
    """
    return re.sub("[\ud800-\udfff]", lambda found: f"\\u{ord(found.group()):04x}", str(text))


def user_path(text: str | Path) -> Path:
    """Expands ``~`` in a path from the command line: a shell does not expand it in ``--images=~/photos``.

    Example:
        >>> user_path("~/photos") == Path.home() / "photos"
        True
    """
    return Path(os.path.expanduser(text))


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def cache_folder() -> Path:
    """``lit_an`` in ``$XDG_CACHE_HOME`` or ``~/.cache``, or a temporary folder if that cannot be created.

    The temporary folder belongs to this process and is removed at its end; a warning says so once.
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
        f"there is no cache folder ({reason}), so each process computes cached files again; set XDG_CACHE_HOME to a "
        "writable folder",
        stacklevel=3,
    )
    return Path(folder)

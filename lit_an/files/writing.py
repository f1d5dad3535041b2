"""Files replaced atomically, so that a kill leaves the old file or the new one, and what a kill has left."""

import errno
import functools
import hashlib
import json
import os
import platform
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lit_an.errors import OutputError
from lit_an.files.paths import printable

# Prefix of temporary files. In folders shared with other programs, only files with this prefix are ever removed.
TEMPORARY = ".lit_an-"

_REMEDIES = {
    errno.ENOSPC: "make room, or choose another folder",
    errno.EDQUOT: "make room, or choose another folder",
    errno.EFBIG: "make room, or choose another folder",
    errno.ENAMETOOLONG: "give it a shorter name",
    errno.EILSEQ: "give it a name that this file system allows",
}
_A_FILE_IS_THERE = "a file is where a folder should be: choose another folder"
_REMEDIES |= dict.fromkeys((errno.ENOTDIR, errno.EEXIST), _A_FILE_IS_THERE)
_REMEDIES[errno.EISDIR] = "a folder is where a file should be: choose another folder"
# Behind the prefix: the machine and the process that writes the file.
_WRITER = re.compile(re.escape(TEMPORARY) + r"([0-9a-f]{8})-(\d+)-")
_SURELY_LEFT = 3600.0  # seconds without a write by another machine
# Errors of a single name: other files in the same folder can still be written.
OF_ONE_NAME = (errno.ENAMETOOLONG, errno.EILSEQ)


@contextmanager
def replacing(path: str | Path, durable: bool = False) -> Iterator[Path]:
    """Yields a temporary path beside ``path``; renames it to ``path`` if the block ends without an error.

    Args:
        path: the file to write or replace; missing parent folders are made.
        durable: waits until the file and its name are on the disk, so that a power failure later leaves the new file;
            otherwise the system may write it seconds later.

    Yields:
        An existing empty file in the same folder (so that the rename is atomic), with the same ending
        (so that libraries that look at it choose the right format).

    Raises:
        OutputError: the disk is full, the folder is not writable, or a file is in its place.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with replacing(folder / "note.txt") as temporary:
        ...     _ = temporary.write_text("whole")
        >>> sorted(file.name for file in folder.iterdir())
        ['note.txt']
    """
    path = Path(path)
    with explain_write_errors(path):
        made = _make_folder(path.parent)
        temporary = None
        try:
            # The prefix does not include the file's name, which may already have the maximum length.
            handle, name = tempfile.mkstemp(
                prefix=f"{TEMPORARY}{_machine()}-{os.getpid()}-", suffix=path.suffix, dir=path.parent
            )
            temporary = Path(name)
            os.close(handle)
            yield temporary
            # mkstemp makes the file private; give it the mode that open() would have given.
            umask = os.umask(0)
            os.umask(umask)
            temporary.chmod(0o666 & ~umask)
            if durable:
                sync(temporary)
            os.replace(temporary, path)
            if durable:
                for folder in (path.parent, *(place.parent for place in made)):
                    sync(folder)
        except BaseException:
            if temporary is not None:
                temporary.unlink(missing_ok=True)
            _remove_empty(made)
            raise


@contextmanager
def explain_write_errors(path: Path, where: str = "", remedy: str | None = None) -> Iterator[None]:
    """Turns an ``OSError`` about what the block writes into one sentence.

    An error about another file, which the block reads, passes unchanged; so does an ``OutputError``, which is a
    sentence already.

    Args:
        path: the file that the block writes, or the folder for everything in it.
        where: beginning of the sentence, such as a command's name.
        remedy: end of the sentence; None chooses it by the kind of error.

    Raises:
        OutputError: in place of an ``OSError``.

    Example:
        >>> with explain_write_errors(Path("/dev/null/out"), "prepare", "choose another folder"):
        ...     Path("/dev/null/out").mkdir()
        Traceback (most recent call last):
        ...
        lit_an.errors.OutputError: prepare: /dev/null/out cannot be written (Not a directory); choose another folder
    """
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        written = path.absolute()
        about = written if error.filename is None else Path(os.fsdecode(error.filename)).absolute()
        is_inside = written in about.parents
        is_temporary = about.parent == written.parent and about.name.startswith(TEMPORARY)
        if not (is_inside or is_temporary or about in (written, *written.parents)):
            raise
        place = about if is_inside else path
        prefix = f"{where}: " if where else ""
        reason = error.strerror or str(error) or type(error).__name__
        remedy = remedy or _REMEDIES.get(error.errno or 0, "choose a folder that you may write to")
        raise OutputError(f"{prefix}{place} cannot be written ({reason}); {remedy}", error) from error


def json_text(facts: Any) -> str:
    """JSON that UTF-8 can encode, with any file names in it; reading it returns the same names."""
    return printable(json.dumps(facts, indent=2, ensure_ascii=False)) + "\n"


def sync(path: Path) -> None:
    """Waits until a file, or the names in a folder, are on the disk, where the system can wait for that.

    Raises:
        OSError: the disk is full or fails.
    """
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:  # a folder on Windows, or one that may be written to but not read
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):  # folders of some network file systems
            raise
    finally:
        os.close(handle)


def link_or_copy(source: Path, path: Path) -> None:
    """Makes ``path`` the same file as ``source``, atomically: by a link, or by a copy where links do not work.

    Raises:
        OutputError: the copy does not fit, or the folder is not writable.
    """
    with replacing(path) as temporary:
        temporary.unlink()
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)
            sync(temporary)


def remove_leftovers(folder: Path, below: bool = True) -> None:
    """Removes temporary files that a killed run left, so that no reader takes them for results.

    Other hidden files and folders are kept, and what another process may be writing: a file of a process that lives, or
    one of another machine that was written to in the last hour. This process must not be writing anything there.

    Args:
        folder: to look in.
        below: also in all folders below it.
    """
    for path in (folder.rglob if below else folder.glob)(f"{TEMPORARY}*"):
        try:
            if path.is_file() and not _is_being_written(path):
                path.unlink(missing_ok=True)
        except FileNotFoundError:  # its writer has just renamed it
            continue


def _is_being_written(path: Path) -> bool:
    found = _WRITER.match(path.name)
    if found is None:  # of an earlier version
        return False
    if found[1] != _machine() or os.name != "posix":
        return time.time() - path.stat().st_mtime < _SURELY_LEFT
    if int(found[2]) == os.getpid():  # of one that had this number before: the first of a container has always the same
        return False
    try:
        os.kill(int(found[2]), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # of another user
        pass
    # In a container nobody may ask for the exit code of a process that has ended: its number stays.
    try:
        return Path(f"/proc/{found[2]}/stat").read_text(errors="replace").rpartition(")")[2].split()[0] not in (
            "Z",
            "X",
        )
    except (OSError, IndexError):  # not Linux, or it has just ended
        return True


@functools.cache
def _machine() -> str:
    """Eight hexadecimal digits for this machine, or this container of it: where numbers of processes have a meaning."""
    try:
        processes = os.readlink("/proc/self/ns/pid")
    except OSError:  # not Linux
        processes = ""
    return hashlib.sha256(f"{platform.node()} {processes}".encode()).hexdigest()[:8]


def _make_folder(folder: Path) -> list[Path]:
    """Creates a folder and its parents; returns the created ones, innermost first."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return missing


def _remove_empty(folders: list[Path]) -> None:
    """Removes empty folders."""
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:  # something is in it, or it is not there
            return

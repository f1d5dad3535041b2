"""One sentence for what the disk refuses: no room, no permission, a file where a folder should be."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lit_an.errors import InputError


@contextmanager
def write_errors_said(command: str, folder: Path, remedy: str) -> Iterator[None]:
    """Turns every ``OSError`` of the block into an ``InputError``.

    Args:
        command: that writes, or another word to begin the sentence with.
        folder: that is written to.
        remedy: the end of the sentence.

    Raises:
        InputError: in place of an ``OSError``.

    Example:
        >>> with write_errors_said("prepare", Path("/dev/null/out"), "choose another folder"):
        ...     Path("/dev/null/out").mkdir()
        Traceback (most recent call last):
        ...
        lit_an.errors.InputError: prepare: '/dev/null/out' cannot be written (Not a directory); choose another folder
    """
    try:
        yield
    except OSError as error:
        if isinstance(error, InputError):  # it is a sentence already
            raise
        place = str(folder) if error.filename is None else str(error.filename)
        reason = error.strerror or str(error) or type(error).__name__
        raise InputError(f"{command}: {place!r} cannot be written ({reason}); {remedy}") from error

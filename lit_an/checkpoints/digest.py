"""The digest of a checkpoint file: a damaged or changed file is recognized before it is used.

``torch.save`` writes a zip archive with a CRC-32 of each record: one for every tensor, one for all numbers and names.
``torch.load`` does not check them. ``seal`` appends one record more: SHA-256 over the names, sizes and CRCs of the
others. So a digest of the whole content costs no pass over it when the file is written, and one when it is read.

It protects against damage and mistakes, not against somebody who wants to deceive: such a file can be sealed again.
Nothing in a checkpoint is executed in any case.
"""

import hashlib
import zipfile
from pathlib import Path

from lit_an.errors import InputError

_RECORD = ".data/lit_an_digest"
_PIECE = 1 << 20
_OTHER_KINDS = {
    b"\xff\xd8\xff": "a JPEG image",
    b"\x89PNG": "a PNG image",
    b"\x1f\x8b": "a gzip archive",
    b"\xfd7zXZ": "an xz archive",
    b"\x80": "a pickle, which would have to be executed",
}


def seal(path: str | Path) -> str:
    """Appends the digest of its content to a file of ``torch.save``; call it again after changing the file.

    Args:
        path: the file; it must not have a digest yet.

    Returns:
        The digest, 64 hexadecimal digits.

    Example:
        >>> import tempfile, torch
        >>> path = Path(tempfile.mkdtemp(), "a.ckpt")
        >>> torch.save({"weight": torch.ones(3)}, path)
        >>> seal(path) == check_content(path)
        True
    """
    with zipfile.ZipFile(path, "a") as archive:
        digest = _digest_of(archive)
        # PyTorch wants all records below one folder.
        archive.writestr(f"{_folder_of(archive)}/{_RECORD}", digest)
    return digest


def check_content(path: str | Path, origin: str | None = None) -> str | None:
    """Reads a whole file and checks that it is what was written; memory stays small.

    Args:
        path: a file of ``torch.save``.
        origin: its name in error sentences; None takes the path.

    Returns:
        The digest; None if the file has none, as those of earlier versions or of other programs.

    Raises:
        InputError: the file is missing, cut short, damaged, changed or of another kind.
    """
    origin = str(path) if origin is None else origin
    if not Path(path).is_file():
        raise InputError(f"{origin}: there is no such file, nor a run folder with checkpoints; give one of them")
    try:
        with zipfile.ZipFile(path) as archive:
            # PyTorch reads nothing of a record with the mark of a folder, which no checksum covers, and leaves its
            # tensor as it finds the memory.
            plain = all(not (each.compress_type or each.external_attr & 0x10) for each in archive.infolist())
            if not plain or not any(name.endswith("/data.pkl") for name in archive.namelist()):
                raise InputError(f"{origin}: it is a zip archive, but not a checkpoint; give a .ckpt file of a run")
            for record in archive.infolist():
                _read_through(archive, record)
            stored = _stored_digest(archive)
            if stored not in (None, _digest_of(archive)):
                raise InputError(f"{origin}: it was changed after it was written; give another checkpoint of the run")
            return stored
    except InputError:
        raise
    except Exception as error:  # zipfile raises many types of error for broken archives
        raise InputError(f"{origin}: {_kind_of(Path(path), error)}; give another one") from error


def _read_through(archive: zipfile.ZipFile, record: zipfile.ZipInfo) -> None:
    """Reads a record, which compares its CRC."""
    with archive.open(record) as stream:
        while stream.read(_PIECE):
            pass


def _digest_of(archive: zipfile.ZipFile) -> str:
    digest = hashlib.sha256()
    for record in sorted(archive.infolist(), key=lambda each: each.filename):
        if not record.filename.endswith(_RECORD):
            digest.update(f"{record.filename} {record.file_size} {record.CRC:08x}\n".encode())
    return digest.hexdigest()


def _stored_digest(archive: zipfile.ZipFile) -> str | None:
    name = f"{_folder_of(archive)}/{_RECORD}"
    return archive.read(name).decode("ascii", "replace") if name in archive.namelist() else None


def _folder_of(archive: zipfile.ZipFile) -> str:
    return archive.namelist()[0].partition("/")[0]


def _kind_of(path: Path, error: Exception) -> str:
    """What a file is that cannot be read, by its first bytes."""
    with path.open("rb") as file:
        first = file.read(8)
    for opening, kind in _OTHER_KINDS.items():
        if first.startswith(opening):
            return f"it is {kind}, not a checkpoint"
    if not first:
        return "it is empty"
    reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
    cut = "cut short or " if first.startswith(b"PK") else "of another kind or "
    return f"it cannot be read as a checkpoint because it is {cut}damaged ({reason})"

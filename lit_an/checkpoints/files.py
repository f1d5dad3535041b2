"""Writes and reads checkpoint files: whole or not at all, checked, and without executing anything."""

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from lit_an.checkpoints.digest import check_content, seal
from lit_an.checkpoints.format import needs_digest, read_entries, with_digest
from lit_an.errors import InputError
from lit_an.files import sync

# Digests of the files that this process has checked, by what tells when a file was written again.
_CHECKED: dict[tuple[int, ...], str | None] = {}


def write_file(checkpoint: Mapping[str, Any], path: Path) -> None:
    """Writes a checkpoint with its digest, and waits until it is on the disk.

    Args:
        checkpoint: tensors, numbers, names, lists and dictionaries only.
        path: a temporary file, to be renamed.

    Raises:
        OSError: the disk is full, or the folder is gone.
    """
    with path.open("wb") as file:
        try:
            torch.save(with_digest(checkpoint), file)
        except RuntimeError as error:
            # PyTorch's writer reports its own state; the system's error came before it.
            if isinstance(error.__context__, OSError):
                cause = error.__context__
                raise OSError(cause.errno, cause.strerror, str(path)) from error
            raise
    seal(path)
    sync(path)


def load_checkpoint(path: str | Path, origin: str | None = None, mapped: bool = True) -> dict[str, Any]:
    """Checks and loads a checkpoint file without executing anything in it.

    Args:
        path: a ``.ckpt`` file of a run.
        origin: its name in error sentences; None takes the path.
        mapped: whether tensors stay in the file until they are used.

    Raises:
        InputError: the file is missing, damaged, changed, of a newer format or not a checkpoint.
    """
    origin = str(path) if origin is None else origin
    digest = _digest_of(Path(path), origin)
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except Exception as error:  # torch raises many types of error for other files
        raise InputError(f"{origin}: {_reason(error)}; give a .ckpt file that `fit` wrote") from error
    if not isinstance(stored, dict) or not isinstance(stored.get("state_dict"), dict):
        raise InputError(f"{origin}: it is not a checkpoint of a run; give one that `fit` wrote")
    read_entries(stored, origin)  # a newer format may have another digest
    if digest is None and needs_digest(stored):
        raise InputError(
            f"{origin}: it was changed after it was written, and has no digest any more; give another checkpoint of "
            "the run, or call lit_an.checkpoints.digest.seal on it if the change is yours"
        )
    return stored


def _digest_of(path: Path, origin: str) -> str | None:
    """As ``check_content``; a file is read once in a process."""
    if not path.is_file():
        return check_content(path, origin)
    facts = path.stat()
    key = (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns)
    if key not in _CHECKED:
        _CHECKED[key] = check_content(path, origin)
    return _CHECKED[key]


def _reason(error: Exception) -> str:
    """What torch says of a file, without its advice to execute what is in it."""
    said = str(error)
    named = re.search(r"GLOBAL ([\w.]+)|unsupported (?:global|class):? ([\w.]+)", said, re.IGNORECASE)
    if named:
        return f"it holds code ({(named.group(1) or named.group(2)).rstrip('.')}), which is never executed"
    if isinstance(error, pickle.UnpicklingError):
        return "it holds more than tensors, numbers and names, which is never executed"
    return f"it cannot be read as a checkpoint ({(said.splitlines() or [type(error).__name__])[0][:120]})"

"""The entries that a checkpoint holds in addition to Lightning's: their format, writing and reading.

A checkpoint is a file of ``torch.save`` that holds tensors, numbers, names, lists and dictionaries only, so that
reading it executes nothing. All entries that are not Lightning's are stored under the key ``lit_an``:

- ``format``: the number of the format, 1.
- ``task``: class path of the task, such as ``lit_an.tasks.inpainting.InpaintingGAN``.
- ``iteration``: generator iterations that the run has made.
- ``processes``: the number of processes of the run that wrote it.
- ``optimizer_kinds``: classes of the optimizers and schedules, generator first; their states do not say them.
- ``class_names``: names of the classes in the order of their labels; only of tasks with classes.
- ``average``: the averaged state of the generator, by the names of its parameters and buffers; only of runs that keep
  an average.

The live weights are Lightning's ``state_dict``, the generator's below ``generator.``. A reader of format 1 ignores
entries that it does not know; an entry that changes its meaning needs a new number. Checkpoints from before the format
had a number are read too.
"""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lit_an.errors import InputError

FORMAT = 1
_KEY = "lit_an"


class Content(NamedTuple):
    """The entries of a checkpoint.

    Attributes:
        iteration: generator iterations; None in a file that no run wrote.
        task: class path of the task; None in older checkpoints, whose config alone says it.
        class_names: empty for a task without classes.
        average: the averaged state of the generator; empty without an average.
        optimizer_kinds: empty in older checkpoints.
        processes: number of processes that wrote it; None in older checkpoints.
    """

    iteration: int | None = None
    task: str | None = None
    class_names: tuple[str, ...] = ()
    average: Mapping[str, Tensor] = {}
    optimizer_kinds: tuple[Mapping[str, str | None], ...] = ()
    processes: int | None = None


def write_entries(checkpoint: dict[str, Any], **entries: Any) -> None:
    """Adds entries to a checkpoint before it is written; each writer adds those that it knows.

    Args:
        checkpoint: changed.
        entries: entries of the format; tensors, numbers, names, lists and dictionaries only.

    Example:
        >>> checkpoint = {}
        >>> write_entries(checkpoint, iteration=3)
        >>> write_entries(checkpoint, class_names=["land", "sea"])
        >>> checkpoint
        {'lit_an': {'format': 1, 'iteration': 3, 'class_names': ['land', 'sea']}}
    """
    unknown = entries.keys() - set(Content._fields)
    assert not unknown, f"the format has no entries {unknown}"
    checkpoint.setdefault(_KEY, {"format": FORMAT}).update(entries)


def read_entries(checkpoint: Mapping[str, Any], origin: str) -> Content:
    """The entries of a checkpoint of this format or of the one before it.

    Args:
        checkpoint: as ``torch.load`` gives it.
        origin: where it comes from, for sentences.

    Raises:
        InputError: the format is newer than this library.
    """
    if _KEY not in checkpoint:
        return _read_unnumbered(checkpoint)
    entries = checkpoint[_KEY]
    number = entries.get("format") if isinstance(entries, dict) else None
    if not isinstance(number, int) or number > FORMAT:
        raise InputError(
            f"{origin}: it has format {number}, but this version of lit_an reads formats up to {FORMAT}; install a "
            "newer lit_an, or give a checkpoint of this version"
        )
    return Content(
        entries.get("iteration"),
        entries.get("task"),
        tuple(entries.get("class_names") or ()),
        entries.get("average") or {},
        tuple(entries.get("optimizer_kinds") or ()),
        entries.get("processes"),
    )


def load_checkpoint(path: str | Path, origin: str | None = None) -> dict[str, Any]:
    """Loads a checkpoint file without executing anything in it; its tensors are memory-mapped.

    Args:
        path: a ``.ckpt`` file of a run.
        origin: its name in error sentences; None takes the path.

    Raises:
        InputError: the file is missing, damaged or not a checkpoint.
    """
    origin = str(path) if origin is None else origin
    if not Path(path).is_file():
        raise InputError(f"{origin}: there is no such file; give a .ckpt file of a run's checkpoints folder")
    if not zipfile.is_zipfile(path):
        raise InputError(
            f"{origin}: it cannot be read as a checkpoint because it is damaged or of another kind; give another one"
        )
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # torch raises many types of error for other files
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{origin}: it cannot be read as a checkpoint ({reason[:120]}); give another one") from error
    if not isinstance(stored, dict) or not isinstance(stored.get("state_dict"), dict):
        raise InputError(f"{origin}: it is not a checkpoint of a run; give one that `fit` wrote")
    return stored


def _read_unnumbered(checkpoint: Mapping[str, Any]) -> Content:
    """Before the format had a number: entries at several places, the average in a callback's state."""
    counters = checkpoint.get("state_dict", {}).get("_extra_state", {})
    states = checkpoint.get("callbacks", {}).values()
    return Content(
        counters.get("iteration"),
        None,
        tuple(checkpoint.get("class_names") or ()),
        next((state["average"] for state in states if isinstance(state, dict) and "average" in state), {}),
        tuple(checkpoint.get("optimizer_kinds") or ()),
    )

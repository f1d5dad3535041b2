"""The entries that a checkpoint holds in addition to Lightning's: their format, writing and reading.

A checkpoint is a file of ``torch.save`` that holds tensors, numbers, names, lists and dictionaries only, so that
reading it executes nothing. All entries that are not Lightning's are stored under the key ``lit_an``:

- ``format``: the number of the format: 2 in a file with a digest (``digest.py``), which ``files.write_file`` writes; 1
  in one without, which other writers write, such as Lightning's ``ModelCheckpoint``.
- ``task``: class path of the task, such as ``lit_an.tasks.inpainting.InpaintingGAN``.
- ``iteration``: generator iterations that the run has made.
- ``processes``: number of processes that trained together when it was written.
- ``finite``: whether all weights, averages and optimizer states are finite numbers; false only in runs that are told to
  ignore others.
- ``optimizer_kinds``: classes of the optimizers and schedules, generator first; their states do not say them.
- ``class_names``: names of the classes in the order of their labels; only of tasks with classes.
- ``average``: the averaged state of the generator, by the names of its parameters and buffers; only of runs that keep
  an average.
- ``terms``: the newest value of each loss term that is not in the log yet, by ``side/name``.
- ``seconds``: time of the iterations so far, that of the clock and that of the first process's processors.

The live weights are Lightning's ``state_dict``, the generator's below ``generator.``. A reader ignores entries
that it does not know; an entry that changes its meaning needs a new number. Checkpoints from before the format
had a number are read too.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor

from lit_an.errors import InputError

FORMAT = 2
_WITHOUT_DIGEST = 1
_KEY = "lit_an"


class NewerFormatError(InputError):
    """A checkpoint of a newer format than this library reads."""


class Content(NamedTuple):
    """The entries of a checkpoint.

    Attributes:
        iteration: generator iterations; None in a file that no run wrote.
        task: class path of the task; None in older checkpoints, whose config alone says it.
        class_names: empty for a task without classes.
        average: the averaged state of the generator; empty without an average.
        optimizer_kinds: empty in older checkpoints.
        processes: None in older checkpoints.
        finite: false if the run knew of a number that is not finite.
        terms: values of loss terms that were not logged yet.
        seconds: of the clock and of processors; 0 in older checkpoints.
    """

    iteration: int | None = None
    task: str | None = None
    class_names: tuple[str, ...] = ()
    average: Mapping[str, Tensor] = {}
    optimizer_kinds: tuple[Mapping[str, str | None], ...] = ()
    processes: int | None = None
    finite: bool = True
    terms: Mapping[str, float] = {}
    seconds: tuple[float, float] = (0.0, 0.0)


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
    checkpoint.setdefault(_KEY, {"format": _WITHOUT_DIGEST}).update(entries)


def read_entries(checkpoint: Mapping[str, Any], origin: str) -> Content:
    """The entries of a checkpoint of this format or of the one before it.

    Args:
        checkpoint: as ``torch.load`` gives it.
        origin: where it comes from, for sentences.

    Raises:
        NewerFormatError: the format is newer than this library.
    """
    if _KEY not in checkpoint:
        return _read_unnumbered(checkpoint)
    entries = checkpoint[_KEY]
    number = entries.get("format") if isinstance(entries, dict) else None
    if not isinstance(number, int) or number > FORMAT:
        raise NewerFormatError(
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
        is_finite(checkpoint),
        entries.get("terms") or {},
        tuple(entries.get("seconds") or (0.0, 0.0)),
    )


def with_digest(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """The checkpoint as a file with a digest holds it; the given one is left as it is."""
    entries = checkpoint.get(_KEY)
    return {**checkpoint, **({} if entries is None else {_KEY: {**entries, "format": FORMAT}})}


def needs_digest(checkpoint: Mapping[str, Any]) -> bool:
    """Whether the file of a checkpoint ends with a digest."""
    return format_of(checkpoint) > _WITHOUT_DIGEST


def format_of(checkpoint: Mapping[str, Any]) -> int:
    """The number of a checkpoint's format; 0 from before it had one."""
    entries = checkpoint.get(_KEY)
    number = entries.get("format") if isinstance(entries, dict) else None
    return number if isinstance(number, int) else 0


def is_finite(checkpoint: Mapping[str, Any]) -> bool:
    """Whether all its numbers are finite, as far as the run that made it knew."""
    entries = checkpoint.get(_KEY)
    return not isinstance(entries, dict) or entries.get("finite", True) is not False


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

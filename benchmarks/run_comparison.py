"""Compares two run folders bit for bit: all of the checkpoint, table, event files, pictures, leftovers."""

import csv
import hashlib
import re
from pathlib import Path
from typing import Any

import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

EVENTS = "events.out.tfevents"
# Not compared: Lightning's count of validation batches, which includes validations that a signal broke off, and times.
_NOT_OF_THE_TRAINING = re.compile(r"epoch_loop\.val_loop\.batch_progress|/lit_an/seconds/")
TIMES = "time/"
# They hold times.
_ABOUT_THE_PROCESS = ("run.json", "README.md", "curves.png")


def differences(one: Path, other: Path) -> list[str]:
    """What differs, a line each; empty if the runs are equal.

    Args:
        one, other: folders of runs that have ended.
    """
    found = _in_names(one, other)
    found += _in_checkpoints(*(load(folder) for folder in (one, other)))
    rows = [_table(folder / "metrics.csv") for folder in (one, other)]
    found += _in_mappings("metrics.csv", *rows)
    found += _in_mappings("event files", *(_events(folder) for folder in (one, other)))
    found += _in_mappings("files", *(_hashes(folder) for folder in (one, other)))
    return found


def load(folder: Path) -> dict[str, Any]:
    """The newest checkpoint of a run folder."""
    checkpoint: dict[str, Any] = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    return checkpoint


def _in_names(one: Path, other: Path) -> list[str]:
    names = [{_name(path, folder) for path in folder.rglob("*") if path.is_file()} for folder in (one, other)]
    return [f"left over: {name}" for name in sorted(names[1] - names[0])] + [
        f"missing: {name}" for name in sorted(names[0] - names[1])
    ]


def _name(path: Path, folder: Path) -> str:
    return EVENTS if path.name.startswith(EVENTS) else path.relative_to(folder).as_posix()


def _in_checkpoints(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    return _in_mappings("last.ckpt", dict(_leaves("", one)), dict(_leaves("", other)))


def _leaves(name: str, value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [leaf for key, inner in value.items() for leaf in _leaves(f"{name}/{key}", inner)]
    if isinstance(value, (list, tuple)):
        return [leaf for key, inner in enumerate(value) for leaf in _leaves(f"{name}/{key}", inner)]
    return [] if _NOT_OF_THE_TRAINING.search(name) else [(name, value)]


def _table(path: Path) -> dict[tuple[str, str], str]:
    """The values of ``metrics.csv`` by iteration and column; a value that stands there twice is a difference."""
    found: dict[tuple[str, str], str] = {}
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            for column, value in row.items():
                if column != "step" and value and not column.startswith(TIMES):
                    key = (row["step"], column)
                    found[key] = f"{found[key]} and {value}" if key in found else value
    return found


def _events(folder: Path) -> dict[tuple[str, int], str]:
    """What TensorBoard shows: the values of all event files by tag and iteration.

    A kill between the event file and ``metrics.csv`` leaves the same value twice, which is no difference.
    """
    accumulator = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0})
    accumulator.Reload()
    tags = accumulator.Tags()
    found: dict[tuple[str, int], str] = {}
    entries = [(tag, event.step, repr(event.value)) for tag in tags["scalars"] for event in accumulator.Scalars(tag)]
    entries += [
        (tag, event.step, hashlib.sha256(event.encoded_image_string).hexdigest())
        for tag in tags["images"]
        for event in accumulator.Images(tag)
    ]
    for tag, step, value in (entry for entry in entries if not entry[0].startswith(TIMES)):
        same = found.get((tag, step), value) == value
        found[tag, step] = value if same else f"{found[tag, step]} and {value}"
    return found


def _hashes(folder: Path) -> dict[str, str]:
    """Hashes of the other files: pictures, results, the config."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".ckpt", ".csv")]
    paths = [path for path in paths if path.name not in _ABOUT_THE_PROCESS]
    texts = {path: path.read_bytes().replace(str(folder).encode(), b"<run folder>") for path in paths}
    return {
        _name(path, folder): hashlib.sha256(text).hexdigest()
        for path, text in texts.items()
        if not path.name.startswith(EVENTS)
    }


def _in_mappings(where: str, one: dict[Any, Any], other: dict[Any, Any]) -> list[str]:
    found = [f"{where}: {key} only in one of them" for key in one.keys() ^ other.keys()]
    return found + [f"{where}: {key} differs" for key in one.keys() & other.keys() if not _equal(one[key], other[key])]


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    return type(one) is type(other) and one == other

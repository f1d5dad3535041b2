"""Reads what a run wrote: rows of ``metrics.csv``, numbered JSON files of results, the last pictures."""

import csv
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lit_an.errors import InputError
from lit_an.files.text import lines_of

TABLE = "metrics.csv"
RECORD = "run.json"
# Values by figure and iteration.
Curves = Mapping[str, Mapping[int, float]]
_PICTURE = re.compile(r"iteration_(\d+)\.(png|webp)")


def rows_of(folder: Path) -> list[dict[str, str]]:
    """The rows of a run's ``metrics.csv``, none without one; a last line that is being written is left out."""
    path = folder / TABLE
    if not path.is_file():
        return []
    is_whole = path.read_bytes().endswith((b"\n", b"\r"))
    lines = lines_of(path)
    rows = list(csv.DictReader(lines if is_whole else lines[:-1]))
    # Written on since then: of a row that is cut short some columns are missing.
    return [row for row in rows if None not in row.values()]


def curves_of(rows: list[dict[str, str]]) -> Curves:
    """Finite values by column and iteration; a later row of an iteration replaces an earlier one.

    A row with more values than the head has columns gives none: they cannot be told to belong to a column.

    Args:
        rows: see ``rows_of``.
    """
    found: dict[str, dict[int, float]] = {}
    for row in rows:
        step = number_in(row.get("step"))
        if step is None or None in row:
            continue
        for name, text in row.items():
            value = None if name == "step" else number_in(text)
            if value is not None:
                found.setdefault(name, {})[int(step)] = value
    return found


def number_in(text: str | None) -> float | None:
    """A finite number, or None for any other text."""
    try:
        value = float(text or "nan")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def results_of(folder: Path, prefix: str) -> list[tuple[int, Mapping[str, Any]]]:
    """Contents of the files ``<prefix>_<iteration>.json`` with their iterations, in order.

    Raises:
        InputError: one holds no JSON object.
    """
    name = re.compile(re.escape(prefix) + r"_(\d+)\.json")
    found = sorted((int(match[1]), path) for path in folder.iterdir() if (match := name.fullmatch(path.name)))
    return [(iteration, json_in(path)) for iteration, path in found]


def json_in(path: Path) -> Mapping[str, Any]:
    """The JSON object in a file.

    Raises:
        InputError: it holds none.
    """
    try:
        content = json.loads("\n".join(lines_of(path)))
    except ValueError as error:
        raise InputError(f"{path} is no JSON ({error})") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} holds no JSON object")
    return content


def last_pictures(folder: Path, until: float = math.inf) -> dict[str, Path]:
    """The picture of the last iteration of each tag, such as ``samples`` or ``layouts/long_range``.

    Args:
        folder: of the run.
        until: the last iteration to look at.
    """
    last: dict[str, tuple[int, Path]] = {}
    for path in folder.rglob("iteration_*"):
        found = _PICTURE.fullmatch(path.name)
        tag = path.parent.relative_to(folder).as_posix()
        if found and last.get(tag, (-1, path))[0] < int(found[1]) <= until:
            last[tag] = int(found[1]), path
    return {tag: path for tag, (_, path) in sorted(last.items())}

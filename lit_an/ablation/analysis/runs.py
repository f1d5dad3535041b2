"""What a report knows of a run: its curves over iterations and over time, its last pictures, its facts."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from lit_an.run_report.reading import RECORD, json_in, last_pictures, number_in, results_of, rows_of
from lit_an.run_report.row_checks import check_rows

_TIMES = ("time/seconds", "time/processor_seconds")


class Point(NamedTuple):
    """A value of a run at one time.

    Attributes:
        iteration: of the run.
        seconds: of its iterations until then, without pictures and metrics; NaN in runs that did not record it.
        processor_seconds: the same of the processors.
        value: finite.
    """

    iteration: int
    seconds: float
    processor_seconds: float
    value: float


@dataclass(frozen=True)
class Run:
    """One run folder, as a report sees it.

    Attributes:
        folder: of the run.
        levels: what it varies, by factor: name of the level; without the seed.
        seed: of its random numbers.
        curves: points by figure, in the order of iterations: of results ``fid``, ``psnr``, … under their own names;
            of ``metrics.csv`` ``train/…``, ``layout/…`` and those ``val/…`` that no result has.
        pictures: the last picture of each tag, such as ``samples``, ``inpainting`` or ``layouts/long_range``.
        facts: of ``run.json``: command, versions, parameters, …; empty in runs that have none.
        results: contents of ``metrics_val_*.json`` by iteration, in order.
        layout_scores: contents of ``layout_scores_val_*.json`` by iteration, in order.
    """

    folder: Path
    levels: Mapping[str, str]
    seed: int
    curves: Mapping[str, tuple[Point, ...]]
    pictures: Mapping[str, Path] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    results: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    layout_scores: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def variant(self) -> str:
        """Name of what it is beside its seed: the levels of its factors."""
        return ", ".join(self.levels.values()) or "all"

    @property
    def iteration(self) -> int:
        """The last iteration that it recorded."""
        return max((points[-1].iteration for points in self.curves.values()), default=0)

    @property
    def newest_result(self) -> Mapping[str, Any]:
        """Of its results the last; empty without one."""
        return self.results[max(self.results)] if self.results else {}

    @property
    def codes(self) -> frozenset[str]:
        """Hashes of the code that ran it, of all its starts."""
        starts = self.facts.get("starts")
        told = [self.facts, *(starts if isinstance(starts, list) else ())]
        return frozenset(str(each["code"]) for each in told if isinstance(each, Mapping) and each.get("code"))

    def at(self, figure: str, iteration: int) -> float | None:
        """A figure at an iteration; None if it was not measured there."""
        return next((point.value for point in self.curves.get(figure, ()) if point.iteration == iteration), None)


def read_run(folder: Path, levels: Mapping[str, str], seed: int) -> Run:
    """Reads a run folder.

    Args:
        folder: with ``metrics.csv``.
        levels: see ``Run``.
        seed: see ``Run``.

    Raises:
        InputError: a file cannot be read.
    """
    rows = rows_of(folder)
    check_rows(folder, rows)
    rows = [row for row in rows if number_in(row.get("step")) is not None]  # others are of no iteration
    clock = _Clock(rows)
    values: dict[str, dict[int, float]] = {}
    for row in rows:
        for name, text in row.items():
            if name.startswith(("train/", "layout/", "val/")) and text:
                values.setdefault(name, {})[int(float(row["step"]))] = float(text)
    results = dict(results_of(folder, "metrics_val"))
    scores = dict(results_of(folder, "layout_scores_val"))
    for iteration, result in results.items():
        for name, value in result.get("figures", {}).items():
            values.setdefault(name, {})[iteration] = value
            values.pop(f"val/{name}", None)
    curves = {
        name: tuple(clock.point(at, value) for at, value in sorted(found.items())) for name, found in values.items()
    }
    record = folder / RECORD
    return Run(
        folder,
        levels,
        seed,
        curves,
        last_pictures(folder),
        json_in(record) if record.is_file() else {},
        results,
        scores,
    )


class _Clock:
    """The time of each iteration of a run, by the rows that have it; between two of them by their line."""

    def __init__(self, rows: Iterable[Mapping[str, str]]) -> None:
        timed = [row for row in rows if all(row.get(name) for name in _TIMES)]
        self._iterations = [0.0, *(float(row["step"]) for row in timed)]
        self._times = [(0.0, 0.0), *((float(row[_TIMES[0]]), float(row[_TIMES[1]])) for row in timed)]

    def point(self, iteration: int, value: float) -> Point:
        if len(self._iterations) == 1:
            return Point(iteration, float("nan"), float("nan"), value)
        # Beyond the last row as between the last two.
        right = min(max(bisect_right(self._iterations, iteration), 1), len(self._iterations) - 1)
        before, after = self._iterations[right - 1], self._iterations[right]
        share = (iteration - before) / (after - before)
        seconds, processor_seconds = (
            low + share * (high - low) for low, high in zip(self._times[right - 1], self._times[right], strict=True)
        )
        return Point(iteration, seconds, processor_seconds, value)

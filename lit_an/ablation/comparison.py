"""The variants of a study side by side, at equal iterations and at equal time."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from lit_an.ablation.runs import Point, Run
from lit_an.ablation.statistics import Contest, Difference, Spread, contest_of, difference_of, spread_of
from lit_an.ablation.study import Study
from lit_an.metrics.directions import KINDS, Better, kind_of

Clock = Literal["processor_seconds", "seconds"]


class Entry(NamedTuple):
    """A figure of a variant.

    Attributes:
        spread: over its seeds; None where no seed has a value.
        difference: to the baseline; None for the baseline itself, and where no seed has both.
        by_seed: the values.
        gaps: why seeds have none, a part of a sentence each.
    """

    spread: Spread | None
    difference: Difference | None
    by_seed: Mapping[int, float]
    gaps: tuple[str, ...]


@dataclass(frozen=True)
class Column:
    """A figure of all variants.

    Attributes:
        figure: its name in the runs.
        title: for people.
        better: which way, if that is known.
        at: the iteration, or the time in seconds; None if there is none at which variants can be compared.
        entries: by variant.
        contest: the best against the second best.
    """

    figure: str
    title: str
    better: Better | None
    at: float | None
    entries: Mapping[str, Entry]
    contest: Contest | None


def figures_of(study: Study) -> tuple[str, ...]:
    """The figures that a report shows: those of the study, or those with a direction that two runs have."""
    if study.figures:
        return study.figures
    names = dict.fromkeys(name for run in study.runs for name in run.curves)
    directed = [name for name in names if (kind := kind_of(name)) is not None and kind.better is not None]
    shared = [name for name in directed if sum(name in run.curves for run in study.runs) > 1]
    order = list(KINDS)
    return tuple(sorted(shared, key=lambda name: order.index(name.rpartition("/")[2])))


def title_of(figure: str) -> str:
    """What a table calls a figure."""
    kind = kind_of(figure)
    return figure if kind is None else kind.title


def clock_of(study: Study) -> Clock:
    """What time is: that of the processors for runs on CPUs, or where nothing is known; that of the clock elsewhere."""
    devices = {device_of(run) for run in study.runs} - {""}
    return "processor_seconds" if all(device.startswith("cpu") for device in devices) else "seconds"


def device_of(run: Run) -> str:
    """``cpu``, ``cuda``, …, as the run says; empty if it does not."""
    machine = run.facts.get("machine")
    device = machine.get("device") if isinstance(machine, Mapping) else None
    return "" if device is None else str(device).lower()


def length_of(study: Study) -> int:
    """The iteration that more than half of the variants reach; runs that do not are not whole."""
    return _reached_by_most([max(run.iteration for run in study.of(variant)) for variant in study.variants])


def whole_runs(study: Study) -> list[Run]:
    """The runs that reach ``length_of``."""
    length = length_of(study)
    return [run for run in study.runs if run.iteration >= length]


def at_equal_iterations(study: Study) -> list[Column]:
    """Each figure at the last iteration at which more than half of the variants that have it were measured."""
    columns = []
    for figure in figures_of(study):
        measured = [
            {point.iteration for run in study.of(variant) for point in run.curves.get(figure, ())}
            for variant in study.variants
        ]
        having = [iterations for iterations in measured if iterations]
        counts = {
            each: sum(each in iterations for iterations in having) for iterations in having for each in iterations
        }
        at = max((each for each, count in counts.items() if 2 * count > len(having)), default=None)
        found = {run.folder: _at_iteration(run, figure, at) for run in study.runs}
        columns.append(_column(study, figure, at, found))
    return columns


def at_equal_time(study: Study) -> list[Column]:
    """Each figure at the time of the last measurement of the fastest whole run, on the curves of the others.

    Between measurements a curve is the line through them; beyond the last one and before the first it has no value.
    """
    clock, whole = clock_of(study), whole_runs(study)
    columns = []
    for figure in figures_of(study):
        ends = [timed[-1][0] for run in whole if (timed := _timed(run.curves.get(figure, ()), clock))]
        at = min(ends, default=None)
        found = {run.folder: _at_time(run, figure, clock, at) for run in study.runs}
        columns.append(_column(study, figure, at, found))
    return columns


def whole_or_all(study: Study, variant: str) -> list[Run]:
    """The runs of a variant that are whole; all of them if none is."""
    length = length_of(study)
    runs = study.of(variant)
    return [run for run in runs if run.iteration >= length] or runs


def _column(study: Study, figure: str, at: float | None, found: Mapping[Path, float | str]) -> Column:
    kind = kind_of(figure)
    values: dict[str, dict[int, float]] = {}
    gaps: dict[str, tuple[str, ...]] = {}
    for variant in study.variants:
        runs = study.of(variant)
        values[variant] = {run.seed: each for run in runs if isinstance(each := found[run.folder], float)}
        gaps[variant] = tuple(_gaps({run.seed: each for run in runs if isinstance(each := found[run.folder], str)}))
    better = kind.better if kind else None
    base = values.get(study.baseline, {})
    entries = {
        variant: Entry(
            spread_of(by_seed.values()) if by_seed else None,
            None if variant == study.baseline else difference_of(by_seed, base),
            by_seed,
            gaps[variant],
        )
        for variant, by_seed in values.items()
    }
    return Column(figure, title_of(figure), better, at, entries, contest_of(values, better))


def _gaps(reasons: Mapping[int, str]) -> Iterable[str]:
    for reason in dict.fromkeys(reasons.values()):
        seeds = [str(seed) for seed, each in reasons.items() if each == reason]
        yield f"{'seed' if len(seeds) == 1 else 'seeds'} {', '.join(seeds)}: {reason}"


def _at_iteration(run: Run, figure: str, at: int | None) -> float | str:
    points = run.curves.get(figure, ())
    if not points:
        return "not measured"
    if at is None:
        return "measured at no iteration that other variants share"
    value = run.at(figure, at)
    if value is None:
        return f"not measured at iteration {at}, last at {points[-1].iteration}"
    return float(value) if math.isfinite(value) else f"{value} at iteration {at}"


def _at_time(run: Run, figure: str, clock: Clock, at: float | None) -> float | str:
    if not run.curves.get(figure, ()):
        return "not measured"
    timed = _timed(run.curves[figure], clock)
    if not timed:
        return "no times recorded"
    if at is None:
        return "no whole run has recorded times"
    times, values = zip(*timed, strict=True)
    if times[0] > at:
        return f"first measured after {times[0]:.3g} s"
    return f"last measured after {times[-1]:.3g} s" if times[-1] < at else float(np.interp(at, times, values))


def _timed(points: Sequence[Point], clock: Clock) -> list[tuple[float, float]]:
    return [
        (time, point.value)
        for point in points
        if math.isfinite(time := getattr(point, clock)) and math.isfinite(point.value)
    ]


def _reached_by_most(ends: Sequence[int]) -> int:
    return sorted(ends, reverse=True)[len(ends) // 2] if ends else 0

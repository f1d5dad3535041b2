"""The variants of a study side by side, at equal iterations and at equal time."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from lit_an.ablation.analysis.bases import different_bases
from lit_an.ablation.analysis.runs import Point, Run
from lit_an.ablation.analysis.statistics import Contest, Difference, Spread, contest_of, difference_of, spread_of
from lit_an.ablation.analysis.study import Study
from lit_an.metrics.directions import KINDS, Better, kind_of

Clock = Literal["processor_seconds", "seconds"]


class Entry(NamedTuple):
    """A figure of a variant.

    Attributes:
        spread: over its seeds; None where no seed has a value.
        difference: to the baseline; None for the baseline itself, where no seed has both, and where the two rest on
            different extractors, images or counts.
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
        contest: the best against the second best; None of figures that do not compare.
        apart: in what the bases of the values differ, see ``different_bases``; empty if they compare.
    """

    figure: str
    title: str
    better: Better | None
    at: float | None
    entries: Mapping[str, Entry]
    contest: Contest | None
    apart: str = ""


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


def machines_of(study: Study) -> tuple[str, ...]:
    """On what the runs' time was spent: GPUs, or processors for runs on CPUs; without runs that do not say."""
    found = dict[str, None]()
    for run in study.runs:
        device = device_of(run)
        cpu = run.facts["machine"].get("cpu") if device == "cpu" else None
        found[str(cpu or device)] = None
    return tuple(name for name in found if name)


def length_of(study: Study) -> int:
    """The iteration that more than half of the variants reach; runs that do not are not whole."""
    return _reached_by_most([max(run.iteration for run in study.of(variant)) for variant in study.variants])


def whole_runs(study: Study) -> list[Run]:
    """The runs that reach ``length_of``."""
    length = length_of(study)
    return [run for run in study.runs if run.iteration >= length]


def shared_iteration(measured: Iterable[Collection[int]]) -> int | None:
    """The last iteration at which more than half were measured, of those that were measured at all; None without one.

    Args:
        measured: iterations of each variant.
    """
    having = [set(iterations) for iterations in measured if iterations]
    counts = {each: sum(each in iterations for iterations in having) for iterations in having for each in iterations}
    return max((each for each, count in counts.items() if 2 * count > len(having)), default=None)


def iteration_of(study: Study, figure: str) -> int | None:
    """The iteration at which a figure is compared at equal iterations: see ``shared_iteration``."""
    return shared_iteration(
        {point.iteration for run in study.of(variant) for point in run.curves.get(figure, ())}
        for variant in study.variants
    )


def at_equal_iterations(study: Study) -> list[Column]:
    """Each figure at the last iteration at which more than half of the variants that have it were measured."""
    columns = []
    for figure in figures_of(study):
        at = iteration_of(study, figure)
        found = {run.folder: _at_iteration(run, figure, at) for run in study.runs}
        columns.append(_column(study, figure, at, found, at))
    return columns


def at_equal_time(study: Study) -> list[Column]:
    """Each figure at the time at which the first whole run had its last measurement, on the curves of the others.

    Of the whole runs only those count that were measured to the iteration of ``at_equal_iterations`` or beyond: one
    that was measured for the last time long before its end does not shorten the comparison. Between measurements a
    curve is the line through them; beyond the last one and before the first it has no value.
    """
    clock, whole = clock_of(study), whole_runs(study)
    columns = []
    for figure in figures_of(study):
        least = iteration_of(study, figure) or 0
        curves = [points for run in whole if (points := run.curves.get(figure, ())) and points[-1].iteration >= least]
        at = min((timed[-1][0] for points in curves if (timed := _timed(points, clock))), default=None)
        found = {run.folder: _at_time(run, figure, clock, at) for run in study.runs}
        columns.append(_column(study, figure, at, found, None))
    return columns


def whole_or_all(study: Study, variant: str) -> list[Run]:
    """The runs of a variant that are whole; all of them if none is."""
    length = length_of(study)
    runs = study.of(variant)
    return [run for run in runs if run.iteration >= length] or runs


def _column(
    study: Study, figure: str, at: float | None, found: Mapping[Path, float | str], iteration: int | None
) -> Column:
    """A column; of results of one iteration, or of None for all, it is asked whether they compare."""
    kind = kind_of(figure)
    values: dict[str, dict[int, float]] = {}
    gaps: dict[str, tuple[str, ...]] = {}
    for variant in study.variants:
        runs = study.of(variant)
        values[variant] = {run.seed: each for run in runs if isinstance(each := found[run.folder], float)}
        gaps[variant] = tuple(_gaps({run.seed: each for run in runs if isinstance(each := found[run.folder], str)}))
    better = kind.better if kind else None
    base = values.get(study.baseline, {})
    shown = [run for run in study.runs if isinstance(found[run.folder], float)]
    apart = different_bases(shown, figure, iteration)
    strange = {
        variant
        for variant in study.variants
        if apart and different_bases((r for r in shown if r.variant in (variant, study.baseline)), figure, iteration)
    }
    entries = {
        variant: Entry(
            spread_of(by_seed.values()) if by_seed else None,
            None if variant == study.baseline or variant in strange else difference_of(by_seed, base),
            by_seed,
            gaps[variant],
        )
        for variant, by_seed in values.items()
    }
    contest = None if apart else contest_of(values, better)
    return Column(figure, title_of(figure), better, at, entries, contest, apart)


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

"""What the tables of a study say, in words, with what its numbers do not allow to say."""

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lit_an.ablation.analysis.bases import basis_doubts
from lit_an.ablation.analysis.comparison import (
    Column,
    Entry,
    at_equal_iterations,
    at_equal_time,
    clock_of,
    device_of,
    figures_of,
    length_of,
    machines_of,
    title_of,
)
from lit_an.ablation.analysis.runs import Point, Run
from lit_an.ablation.analysis.study import Study
from lit_an.ablation.report.formatting import counted, decimals_of, fixed, interval_text, joined, time_text

CLOCKS = {"processor_seconds": "processor time", "seconds": "wall-clock time"}
_COLUMNS = 4
_UNADJUSTED = "The intervals are not adjusted for the number of comparisons."


def what_is_compared(study: Study) -> str:
    """One sentence: variants, factors, seeds."""
    if not study.runs:
        return "No run can be shown."
    factors, seeds = study.factors(), study.seeds
    differ = f" that differ in {joined(factors)}" if factors else ""
    counts = {len(study.of(variant)) for variant in study.variants}
    each = f"{min(counts)} to {max(counts)} seeds" if len(counts) > 1 else counted(counts.pop(), "seed")
    others = len(study.variants) > 1 and study.baseline in study.variants
    named = f"{'seed' if len(seeds) == 1 else 'seeds'} {', '.join(map(str, seeds))}"
    return (
        f"{counted(len(study.variants), 'variant')}{differ}, with {each} each ({named}), "
        f"{counted(length_of(study), 'iteration')}{f'; differences are to {study.baseline}' if others else ''}."
    )


def doubts(study: Study) -> list[str]:
    """Sentences about runs that are missing or not whole, and about what cannot be compared."""
    found = basis_doubts(study.runs, {figure: title_of(figure) for figure in figures_of(study)})
    found += [f"{label}: {reason}." for label, reason in study.missing]
    told, length = {label for label, _ in study.missing}, length_of(study)
    for run in study.runs:
        label = f"{run.variant}, seed {run.seed}"
        if run.iteration < length and label not in told:
            found.append(f"{label}: only {counted(run.iteration, 'iteration')} of {length:,}.")
    for variant in study.variants:
        there = {run.seed for run in study.of(variant)}
        absent = [str(seed) for seed in study.seeds if seed not in there and f"{variant}, seed {seed}" not in told]
        if absent:
            found.append(f"{variant}: no run of {'seed' if len(absent) == 1 else 'seeds'} {joined(absent)}.")
    if study.runs and not any(math.isfinite(point.seconds) for run in study.runs for point in _points(run)):
        found.append("No run recorded the time of its iterations, so nothing is compared at equal time.")
    elif len(machines := machines_of(study)) > 1:
        found.append(
            f"The runs are of different machines ({'; '.join(machines)}), so nothing is compared at equal time."
        )
    if study.runs and study.baseline not in study.variants:
        found.append(f"The baseline, {study.baseline}, has no run, so there are no differences.")
    return found


def _points(run: Run) -> Iterable[Point]:
    return itertools.chain.from_iterable(run.curves.values())


def verdict(column: Column) -> str:
    """What a column says of best and second best; empty where there is nothing to compare.

    With fewer than 2 paired seeds it says that nothing can be told.
    """
    contest, decimals = column.contest, decimals_of(column)
    if contest is None:
        return ""
    superlative = {"higher": "highest", "lower": "lowest"}[column.better or "lower"]
    mean = column.entries[contest.first].spread
    assert mean is not None
    same = [name for name, entry in column.entries.items() if entry.spread and entry.spread.mean == mean.mean]
    if len(same) > 1:
        return f"{joined(same)} have the {superlative} mean ({fixed(mean.mean, decimals)})"
    head = f"{contest.first} has the {superlative} mean ({fixed(mean.mean, decimals)})"
    difference = contest.difference
    if difference is None or difference.interval is None:
        shared = "no seed" if difference is None else "1 seed"
        return f"{head}; with {shared} that {contest.second} shares, whether that is chance cannot be told"
    apart = f"{fixed(difference.mean, decimals, sign=True)} {interval_text(difference.interval, decimals)}"
    seeds = counted(difference.seeds, "seed")
    if contest.is_decided:
        return f"{head}, distinguishable from the second, {contest.second}, with {seeds} ({apart})"
    if contest.is_reversed:
        return f"{head}, but {contest.second} is better over the {seeds} that both have ({apart})"
    return f"{head}, but is not distinguishable from {contest.second} with {seeds} ({apart})"


def against_baseline(column: Column, baseline: str) -> str:
    """Which variants are clearly better or worse than the baseline, and which cannot be told from it."""
    parts: dict[str, list[str]] = {"better": [], "worse": [], "different": [], "not distinguishable": []}
    for variant, entry in column.entries.items():
        difference = entry.difference
        if difference is None or difference.interval is None:
            continue
        if not difference.is_clear:
            parts["not distinguishable"].append(variant)
        elif column.better is None:
            parts["different"].append(variant)
        else:
            parts["better" if (difference.mean > 0) == (column.better == "higher") else "worse"].append(variant)
    told = [(word, joined(names)) for word, names in parts.items() if names]
    heads = [word.capitalize() if place else f"Against {baseline}, {word}" for place, (word, _) in enumerate(told)]
    return " ".join(f"{head}: {names}." for head, (_, names) in zip(heads, told, strict=True))


def gaps_of(columns: Iterable[Column]) -> list[str]:
    """Where a table lacks values, and why: a line each."""
    found: dict[str, list[str]] = {}
    for column in columns:
        if column.apart:
            where = (
                f"no best one, and differences only between runs of the same basis; results differ in {column.apart}"
            )
            found.setdefault(where, []).append(column.title)
        for variant, entry in column.entries.items():
            for gap in entry.gaps:
                found.setdefault(f"{variant}, {gap}", []).append(column.title)
    return [f"{', '.join(dict.fromkeys(titles))}: {where}." for where, titles in found.items()]


@dataclass(frozen=True)
class Table:
    """One comparison, as every format shows it.

    Attributes:
        title: ``Equal iterations`` or ``Equal time``.
        caption: what its numbers are, and where they are compared.
        columns: one for each figure.
        places: at which iteration or time each column is, where they differ; otherwise empty texts.
        most: largest number of values of a cell; another number is said in the cell.
    """

    title: str
    caption: str
    columns: Sequence[Column]
    places: Sequence[str]
    most: int

    def pieces(self) -> list[range]:
        """Columns that fit beside each other on a printed page, about as many in each piece."""
        count, pieces = len(self.columns), math.ceil(len(self.columns) / _COLUMNS)
        ends = [count * piece // pieces for piece in range(pieces + 1)]
        return [range(start, end) for start, end in itertools.pairwise(ends)]

    def caption_of(self, piece: range) -> str:
        """The caption of the first piece; for the others, that they go on."""
        return f"{self.title}, continued." if piece.start else self.caption


def tables_of(study: Study) -> list[Table]:
    """The table at equal iterations, and the one at equal time if runs recorded it; none if no figure can be shown."""
    clock = clock_of(study)
    if clock == "seconds":
        why = "runs are of accelerators"
    else:
        why = "the runs are of CPUs" if all(map(device_of, study.runs)) else "not all runs say on what they ran"
    at_time = (
        f"of {CLOCKS[clock]}, since {why}. It is the time at which the first whole run had its last measurement; "
        "pictures and metrics are not in it. Between two measurements of a run, its value is taken from the line "
        "between them."
    )
    at_times = at_equal_time(study) if len(machines_of(study)) < 2 else []
    tables = []
    for title, columns, of_time in (
        ("Equal iterations", at_equal_iterations(study), ""),
        ("Equal time", at_times, at_time),
    ):
        if not columns or (of_time and all(column.at is None for column in columns)):
            continue
        places = [_place(column, bool(of_time)) for column in columns]
        same = len(set(places)) == 1
        where = f"{title}: {places[0] if same else 'each column at what its head says'}"
        counts = {entry.spread.seeds for column in columns for entry in column.entries.values() if entry.spread}
        head = f"{where}{' ' + of_time if of_time else '.'}"
        caption = " ".join(filter(None, [head, _explained(study, columns), _apart(columns)]))
        tables.append(Table(title, caption, columns, [""] * len(places) if same else places, max(counts, default=0)))
    return tables


def count_note(entry: Entry, most: int) -> str:
    """``n = 2`` where a cell has fewer values than others."""
    return f"n = {entry.spread.seeds}" if entry.spread is not None and entry.spread.seeds != most else ""


def _place(column: Column, is_time: bool) -> str:
    if column.at is None:
        return "at no shared place"
    return time_text(column.at) if is_time else f"iteration {column.at:,.0f}"


def _apart(columns: Sequence[Column]) -> str:
    """Which columns do not compare, for readers of a table alone."""
    titles = list(dict.fromkeys(column.title for column in columns if column.apart))
    if not titles:
        return ""
    told = ", ".join(dict.fromkeys(column.apart for column in columns if column.apart))
    return f"Not to be compared between all rows: {', '.join(titles)}, since results are of different {told}."


def _explained(study: Study, columns: Sequence[Column]) -> str:
    counts = {entry.spread.seeds for column in columns for entry in column.entries.values() if entry.spread}
    if not counts:
        return "No values."
    most = max(counts)
    spread = f"Mean ± standard deviation over {most} seeds" if most > 1 else "Values of one seed"
    differing = "; another number is given as n" if len(counts) > 1 else ""
    compared = [e.difference for c in columns for e in c.entries.values() if e.difference is not None]
    if any(each.interval for each in compared):
        below = (
            f"Below, the difference to {study.baseline}, paired by seed, with its 95 % confidence interval (paired t); "
            "* where that excludes 0."
        )
    elif compared:
        below = f"Below, the difference to {study.baseline}; fewer than 2 paired seeds allow no interval."
    else:
        below = ""
    bold = (
        ""
        if len(study.variants) < 2
        else "Bold: best, where the interval of its difference to the second best excludes 0."
    )
    return " ".join(filter(None, [f"{spread}{differing}.", below, bold, bold and _UNADJUSTED]))

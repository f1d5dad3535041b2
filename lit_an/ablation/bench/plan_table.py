"""What a call of the bench is about to do, in lines: a row for each variant, and the time in all."""

import math
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path

from lit_an.ablation.bench.cells import Cell, State
from lit_an.ablation.bench.costs import Cost
from lit_an.ablation.bench.plan import Plan
from lit_an.durations import in_words

_WORDS: dict[State, str] = {
    "new": "new",
    "unfinished": "goes on",
    "done": "done",
    "failed": "goes on: it failed",
    "diverged": "again: it diverged",
    "removed": "again: its folder is gone",
    "changed": "again: its config changed",
    "other code": "again: the code changed",
}
_WIDTH = 80  # columns


def plan_lines(
    plan: Plan, states: Mapping[Cell, State], costs: Mapping[str, Cost], at_a_time: int, folder: Path
) -> Iterator[str]:
    """The plan of a call.

    Args:
        plan: what is compared.
        states: of all its cells.
        costs: by variant; empty if they were not measured.
        at_a_time: runs that go on at the same time, ≥ 1.
        folder: of the runs.
    """
    variants = plan.variants()
    number = (
        f"{len(variants)} variant{'s' * (len(variants) != 1)} × {len(plan.seeds)} seed{'s' * (len(plan.seeds) != 1)}"
    )
    yield f"\n{plan.name}: {number}; runs in {folder}"
    how = ", one at a time" if plan.design == "one_at_a_time" else ""
    varied = f"varied{how}: {', '.join(plan.factors) or 'nothing'}"
    yield from textwrap.wrap(varied, _WIDTH, initial_indent="  ", subsequent_indent="    ")
    rows = [("variant", "seeds", "state", *(("s/iteration", "a run") if costs else ()))]
    for variant in variants:
        by_state: dict[State, list[int]] = {}
        for cell, state in states.items():
            if cell.variant == variant:
                by_state.setdefault(state, []).append(cell.seed)
        cost = costs.get(variant.name)
        for state, seeds in by_state.items():
            told = () if not costs else ("", "") if cost is None or state == "done" else _cost_cells(cost)
            rows.append((variant.name, " ".join(map(str, seeds)), _WORDS[state], *told))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  " + "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
    for name, cost in costs.items():
        if cost.error:
            yield f"{name} could not be measured: {cost.error}"
    todo = [cell for cell, state in states.items() if state != "done"]
    total = sum(costs[cell.variant.name].seconds for cell in todo) if costs else math.nan
    if not todo:
        yield "all runs are done"
    elif not math.isnan(total):
        together = f", {at_a_time} at a time" if at_a_time > 1 else ""
        yield (
            f"about {in_words(total / min(at_a_time, len(todo)))} of training for {len(todo)} runs{together}; "
            "validations, metrics and pictures come on top"
        )


def _cost_cells(cost: Cost) -> tuple[str, str]:
    if cost.error:
        return "?", "?"
    return f"{cost.iteration:.3g}", "?" if math.isnan(cost.seconds) else in_words(cost.seconds)

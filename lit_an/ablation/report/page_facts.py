"""The parts of the page beside figures and pictures: layouts, cost, and how the runs were made."""

import math
import os
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lit_an.ablation.analysis.comparison import clock_of, title_of, whole_or_all
from lit_an.ablation.analysis.runs import Point, Run
from lit_an.ablation.analysis.statistics import spread_of
from lit_an.ablation.analysis.study import Study, bench_record
from lit_an.ablation.report.formatting import count_text, date_text, mean_text, memory_text, time_text
from lit_an.ablation.report.markup import Html, breakable, bullets, data_table, element
from lit_an.ablation.report.sentences import CLOCKS

REGIONS = ("effective_regions", "effective_regions_per_position")
_DEGENERATE = "degenerate_iterations"
_COLUMNS = 6  # of a table, as many as fit on a printed page
_NONE = "–"


def layout_figures(study: Study) -> list[str]:
    """Names of the curves of scalars of layouts; values of single regions are left out."""
    names = dict.fromkeys(name for run in study.runs for name in run.curves if name.startswith("layout/"))
    scalars = [name for name in names if not name.rpartition("/")[2].isdecimal()]
    order = [*REGIONS, _DEGENERATE]
    return sorted(scalars, key=lambda n: order.index(last) if (last := n.rpartition("/")[2]) in order else len(order))


def layouts(study: Study, charts: Sequence[Html]) -> Html | None:
    """What the layouts of each variant were at the end, and what the results warn of."""
    figures = layout_figures(study)
    warnings = _warnings(study)
    if not figures and not warnings:
        return None
    layers = dict.fromkeys(name.removeprefix("layout/").rpartition("/")[0] for name in figures)
    parts: list[Any] = [element("h2", "Layouts" if figures else "Warnings")]
    if figures:
        explained = (
            "Effective regions: exp of the entropy of the mean usage, N where all are used alike, 1 where one has all. "
            "Regions per position: exp of the mean entropy of a position's membership, N where the layout is uniform, "
            "1 where each position belongs to one region. In a uniform layout, and in one of a single region, "
            "attentive normalization is instance normalization."
        )
        parts.append(element("p", explained))
    for layer in layers:
        parts += _layer_tables(study, layer, [name for name in figures if name.startswith(f"layout/{layer}/")])
    if charts:
        parts.append(element("div", charts, class_="charts"))
    if warnings:
        parts += [element("h3", "Warnings of the newest results"), bullets(warnings)]
    return element("section", parts)


def _layer_tables(study: Study, layer: str, figures: Sequence[str]) -> Iterable[Html]:
    measured = [name for name in figures if not name.endswith(_DEGENERATE)]
    variants = [variant for variant in study.variants if any(n in r.curves for r in study.of(variant) for n in figures)]
    columns: list[tuple[str, Callable[[list[Run]], str]]] = [
        ("Regions", lambda runs: _regions(runs, layer)),
        ("Found", lambda runs: _found(runs, f"layout/{layer}/{_DEGENERATE}")),
    ]
    columns += [(_short(name), lambda runs, name=name: _last(runs, name)) for name in measured]  # type: ignore[misc]
    for start in range(0, len(columns), _COLUMNS):
        piece = columns[start : start + _COLUMNS]
        rows = [
            (breakable(variant), [value(whole_or_all(study, variant)) for _, value in piece]) for variant in variants
        ]
        caption = f"Layout of {layer} at the end of the runs{'' if not start else ', continued'}."
        yield data_table(caption, ["Variant", *(title for title, _ in piece)], rows, f"Layout of {layer}")


def _short(figure: str) -> str:
    name = figure.rpartition("/")[2]
    return title_of(name) if title_of(name) != name else name.replace("_", " ").capitalize()


def _regions(runs: Sequence[Run], layer: str) -> str:
    counts = {sum(name.startswith(f"layout/{layer}/usage/") for name in run.curves) for run in runs} - {0}
    return " / ".join(map(str, sorted(counts))) or _NONE


def _last(runs: Sequence[Run], figure: str) -> str:
    values = [run.curves[figure][-1].value for run in runs if run.curves.get(figure)]
    values = [value for value in values if math.isfinite(value)]
    return mean_text(values) if values else _NONE


def _found(runs: Sequence[Run], figure: str) -> str:
    ends = [run.curves[figure][-1].value for run in runs if run.curves.get(figure)]
    bad = [int(value) for value in ends if value > 0]
    if not ends:
        return _NONE
    if not bad:
        return "regions"
    return f"uniform or one region in {len(bad)} of {len(ends)} seeds, for up to {max(bad):,} iterations"


def _warnings(study: Study) -> list[str]:
    """Each sentence once, with the runs that have it."""
    found: dict[str, list[str]] = {}
    for run in study.runs:
        told = run.newest_result.get("warnings")
        for sentence in told if isinstance(told, list) else ():
            found.setdefault(str(sentence), []).append(f"{run.variant}, seed {run.seed}")
    return [
        f"{sentence} ({'all runs' if len(runs) == len(study.runs) else '; '.join(runs)})"
        for sentence, runs in found.items()
    ]


def cost(study: Study) -> Html | None:
    """Parameters, operations, memory and time of each variant."""
    if not study.runs:
        return None
    clock = clock_of(study)
    columns: list[tuple[str, Callable[[list[Run]], str]]] = [
        ("Parameters of G", lambda runs: _fact(runs, count_text, "parameters", "generator")),
        ("of D", lambda runs: _fact(runs, count_text, "parameters", "discriminator")),
        ("Multiply-adds of G", lambda runs: _fact(runs, count_text, "operations", "generator")),
        ("of D", lambda runs: _fact(runs, count_text, "operations", "discriminator")),
        ("Peak memory", _memory),
        ("Iterations per s", lambda runs: _rates(runs, clock)),
        ("Processor time", lambda runs: _times(runs, "processor_seconds")),
        ("Wall-clock time", lambda runs: _times(runs, "seconds")),
    ]
    rows = [
        (breakable(variant), [value(whole_or_all(study, variant)) for _, value in columns])
        for variant in study.variants
    ]
    kept = [index for index in range(len(columns)) if any(cells[index] != _NONE for _, cells in rows)]
    if not kept:
        return None
    caption = (
        "Cost, of generator (G) and discriminator (D); multiply-adds of a forward pass of one image. Times are of "
        "whole runs, without pictures and metrics: mean ± standard deviation over seeds. Iterations per second are of "
        f"{CLOCKS[clock]}; memory is the most of a seed."
    )
    told = [(variant, [cells[index] for index in kept]) for variant, cells in rows]
    machines = {_machine(run) for run in study.runs} - {""}
    note = f"The runs are of different machines ({'; '.join(sorted(machines))}): their times do not compare."
    return element(
        "section",
        element("h2", "Cost"),
        data_table(caption, ["Variant", *(columns[index][0] for index in kept)], told, "Cost"),
        element("p", note, class_="missing") if len(machines) > 1 else None,
    )


def _fact(runs: Sequence[Run], spelled: Callable[[float], str], *keys: str) -> str:
    values = {value for run in runs if isinstance(value := _get(run.facts, *keys), (int, float))}
    texts = list(dict.fromkeys(spelled(value) for value in sorted(values)))
    return f"{texts[0]} to {texts[-1]}" if len(texts) > 1 else (texts or [_NONE])[0]


def _memory(runs: Sequence[Run]) -> str:
    values = [value for run in runs if isinstance(value := run.facts.get("peak_memory"), (int, float))]
    return memory_text(max(values)) if values else _NONE


def _rates(runs: Sequence[Run], clock: str) -> str:
    ends = [(end, time) for run in runs if (end := _end(run)) is not None and (time := getattr(end, clock)) > 0]
    return mean_text([end.iteration / time for end, time in ends]) if ends else _NONE


def _times(runs: Sequence[Run], clock: str) -> str:
    ends = [getattr(end, clock) for run in runs if (end := _end(run)) is not None]
    if not ends:
        return _NONE
    spread = spread_of(ends)
    return time_text(spread.mean) + ("" if spread.deviation is None else f" ± {time_text(spread.deviation)}")


def _end(run: Run) -> Point | None:
    """The last point of a run that has a time."""
    ends = [points[-1] for points in run.curves.values() if points and math.isfinite(points[-1].seconds)]
    return max(ends, key=lambda point: point.iteration, default=None)


def provenance(study: Study) -> Html | None:
    """How the runs were made: commands, versions, machines, the plan, a row for each run."""
    if not study.runs and not study.commands and not study.plan:
        return None
    parts: list[Any] = [element("h2", "How it was made")]
    if study.commands:
        parts += [element("h3", "Commands"), element("pre", "\n".join(study.commands))]
    versions: dict[str, dict[str, None]] = {}
    for run in study.runs:
        told = run.facts.get("versions")
        for package, version in told.items() if isinstance(told, Mapping) else ():
            versions.setdefault(str(package), {})[str(version)] = None
    facts = [f"{package} {' / '.join(found)}" for package, found in sorted(versions.items())]
    machines = {_machine(run) for run in study.runs} - {""}
    lines = [("Versions", ", ".join(facts)), ("Machine", "; ".join(sorted(machines)))]
    told = [element("li", element("b", name), f": {text}") for name, text in lines if text]
    parts.append(element("ul", told) if told else None)
    if any(len(found) > 1 for found in versions.values()):
        parts.append(element("p", "The runs are of different versions of a package.", class_="missing"))
    if len({code for run in study.runs for code in run.codes}) > 1:
        parts.append(element("p", "The runs are of different code.", class_="missing"))
    if study.runs:
        parts.append(_run_table(study))
        parts.append(_commands_of_runs(study))
    if study.plan:
        parts += [element("h3", "Plan"), element("pre", study.plan)]
    return element("section", parts)


def _run_table(study: Study) -> Html:
    base = os.path.commonpath([run.folder.absolute().parent for run in study.runs])
    rows = []
    for run in study.runs:
        record = bench_record(run.folder)
        commit, code = _get(run.facts, "git", "commit"), run.facts.get("code") or record.get("code")
        changed = "+" if _get(run.facts, "git", "is_changed") else ""
        ended = date_text(str(run.facts.get("ended") or _NONE))
        hashes = [_hash(record.get("config_hash")), _hash(code), f"{_hash(commit)}{changed}"]
        status = str(record.get("status", _NONE))
        cells = [f"{run.seed}", f"{run.iteration:,}", status, _started(run), ended, *hashes]
        rows.append((breakable(os.path.relpath(run.folder.absolute(), base)), [breakable(run.variant), *cells]))
    heads = ("Run folder", "Variant", "Seed", "Iterations", "Status", "Started", "Ended", "Config", "Code", "Commit")
    kept = [i for i in range(len(heads) - 1) if i < 3 or any(cells[i] != _NONE for _, cells in rows)]
    told = [(name, [cells[i] for i in kept]) for name, cells in rows]
    return data_table(
        "Runs, with the first digits of hashes; + says that the code had changes that are in no commit.",
        [heads[0], *(heads[i + 1] for i in kept)],
        told,
        "Runs",
        "runs",
    )


def _started(run: Run) -> str:
    """When a run began; of one that went on later, also how often it was started."""
    starts = run.facts.get("starts")
    if not isinstance(starts, list) or not starts or not isinstance(starts[0], Mapping):
        return _NONE
    began = date_text(str(starts[0].get("time") or _NONE))
    return began if len(starts) == 1 else f"{began} ({len(starts)} starts)"


def _commands_of_runs(study: Study) -> Html | None:
    told = []
    for run in study.runs:
        command = run.facts.get("command") or bench_record(run.folder).get("arguments")
        if isinstance(command, list):
            told.append(f"# {run.variant}, seed {run.seed}\n{_anywhere(list(map(str, command)))}")
    if not told:
        return None
    return element("details", element("summary", "The command of each run"), element("pre", "\n".join(told)))


def _machine(run: Run) -> str:
    told = run.facts.get("machine")
    if not isinstance(told, Mapping):
        return ""
    threads = f"{told['threads']} threads" if told.get("threads") else None
    return ", ".join(str(part) for part in (told.get("device"), told.get("cpu"), threads) if part)


def _hash(value: Any) -> str:
    return str(value)[:8] if value else _NONE


def _get(facts: Mapping[str, Any], *keys: str) -> Any:
    found: Any = facts
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _anywhere(command: Sequence[str]) -> str:
    """A command line without the folder that the program was in: a report is read on other machines."""
    if not command or Path(command[0]).name != "cli.py":
        return shlex.join(command)
    return shlex.join(["python", "cli.py", *command[1:]])

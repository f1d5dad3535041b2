"""What a report compares: runs of some variants, with what is missing of them."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from lit_an.ablation.analysis.config_notes import (
    CONFIG,
    along,
    config_of,
    notes_on_configs,
    notes_on_equal_configs,
    notes_on_folders,
)
from lit_an.ablation.analysis.levels import SEED, levels_of
from lit_an.ablation.analysis.runs import Run, read_run
from lit_an.ablation.bench.cells import FORMER
from lit_an.errors import InputError
from lit_an.files.text import lines_of
from lit_an.registry import nearest
from lit_an.run_report.reading import TABLE


class Missing(NamedTuple):
    """A run that is not there, or not done.

    Attributes:
        label: which one, such as ``attentive, seed 2``.
        reason: a part of a sentence, such as ``ended with exit code 3``.
    """

    label: str
    reason: str


@dataclass(frozen=True)
class Study:
    """What a report compares.

    Args:
        name: title of the report.
        runs: of any number of variants and seeds, possibly incomplete, in the order of the table.
        baseline: the variant that differences are taken to; one without runs leaves the differences out.
        figures: to show, in order; None or empty for all known ones that at least two runs have.
        missing: runs that failed or are not done.
        notes: sentences to show.
        plan: text of the plan; empty if there was none.
        commands: exact command lines.

    Raises:
        InputError: two runs are of the same variant and seed.
    """

    name: str
    runs: tuple[Run, ...]
    baseline: str
    figures: tuple[str, ...] | None = None
    missing: tuple[Missing, ...] = ()
    notes: tuple[str, ...] = ()
    plan: str = ""
    commands: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        folders: dict[tuple[str, int], Path] = {}
        for run in self.runs:
            key = (run.variant, run.seed)
            if key in folders:
                raise InputError(
                    f"{folders[key]} and {run.folder} are both {run.variant}, seed {run.seed}; a report takes one run "
                    "of each variant and seed, so leave one of them out"
                )
            folders[key] = run.folder

    @property
    def variants(self) -> tuple[str, ...]:
        """Names of those that have a run, in order."""
        return tuple(dict.fromkeys(run.variant for run in self.runs))

    @property
    def seeds(self) -> tuple[int, ...]:
        """Of all runs."""
        return tuple(sorted({run.seed for run in self.runs}))

    def of(self, variant: str) -> list[Run]:
        """The runs of a variant, by seed."""
        return sorted((run for run in self.runs if run.variant == variant), key=lambda run: run.seed)

    def factors(self) -> dict[str, list[str]]:
        """The levels of each factor that has more than one."""
        levels: dict[str, dict[str, None]] = {}
        for run in self.runs:
            for factor, level in run.levels.items():
                levels.setdefault(factor, {})[level] = None
        return {factor: list(found) for factor, found in levels.items() if len(found) > 1}


def study_of(folder: Path, baseline: str | None = None) -> Study:
    """The runs in a folder and below it, wherever they were made.

    A run folder has ``config.yaml`` beside ``metrics.csv``. Where the bench left ``<run folder>.json``, that says which
    variant and seed a run is; otherwise the configs do, by the keys in which they differ.

    Args:
        folder: of runs; folders ``former`` of the bench in it are left out.
        baseline: a variant; None for the first one, in the order of the folders' names.

    Raises:
        InputError: there are no runs, a file cannot be read, a run has no seed, or there is no such variant.
    """
    folders = _run_folders(folder)
    if not folders:
        raise InputError(f"{folder} holds no run: no folder in it has config.yaml beside metrics.csv")
    records = {each: bench_record(each) for each in folders}
    others = [each for each in folders if not _is_of_bench(records[each])]
    configs = {each: config_of(each) for each in others}
    found = levels_of(list(configs.values()))
    levels = dict(zip(others, found.of_runs, strict=True))
    runs = []
    for each in folders:
        record = records[each]
        if each in levels:
            runs.append(read_run(each, levels[each], _seed(each, configs[each].get(SEED))))
        else:
            told = {str(factor): str(level) for factor, level in record["levels"].items()}
            runs.append(read_run(each, told, _seed(each, record.get("seed"))))
    if len(levels) == len(runs):
        notes = [along(factor, keys) for factor, keys in found.along.items()]
    else:
        notes = notes_on_configs(runs, [{} if run.folder in levels else records[run.folder] for run in runs])
    notes += notes_on_equal_configs(runs)
    study = Study(
        folder.resolve().name,
        tuple(runs),
        baseline or runs[0].variant,
        missing=tuple(_not_done(runs, records)),
        notes=(*notes, *notes_on_folders(runs)),
    )
    if study.baseline not in study.variants:
        known = ", ".join(study.variants)
        raise InputError(
            f"no run is of the variant {baseline!r}{nearest(str(baseline), study.variants)} Known: {known}"
        )
    return study


def bench_record(folder: Path) -> Mapping[str, Any]:
    """What the bench wrote beside a run folder: ``levels``, ``seed``, ``status``, …; empty for other runs.

    Raises:
        InputError: the file is no JSON.
    """
    real = folder.resolve()
    beside = [each.with_name(f"{each.name}.json") for each in (folder, real)]
    path = next((each for each in beside if each.is_file()), None)
    if path is None:
        return {}
    try:
        content = json.loads("\n".join(lines_of(path)))
    except ValueError as error:
        raise InputError(f"{path} is no JSON ({error})") from error
    return content if isinstance(content, dict) else {}


def _is_of_bench(record: Mapping[str, Any]) -> bool:
    return isinstance(record.get("levels"), dict) and "seed" in record


def _not_done(runs: Sequence[Run], records: Mapping[Path, Mapping[str, Any]]) -> list[Missing]:
    found = []
    for run in runs:
        record = records[run.folder]
        status, code = record.get("status", "done"), record.get("exit_code")
        if status != "done":
            ended = f" with exit code {code}" if code is not None else ""
            found.append(Missing(f"{run.variant}, seed {run.seed}", f"{status}{ended}, at iteration {run.iteration}"))
    return found


def _run_folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder; give one that holds run folders")
    found: dict[str, Path] = {}
    # A folder of links to runs holds them too; a run that is there itself is no link.
    for follows_links in (False, True):
        seen = set[str]()
        for place, inner, files in os.walk(folder, followlinks=follows_links):
            real = os.path.realpath(place)
            if real in seen:  # such as a link to a folder above it, which would never end
                inner.clear()
                continue
            seen.add(real)
            inner.sort()
            if TABLE in files and CONFIG in files:
                found.setdefault(real, Path(place))
    kept = [each for each in found.values() if FORMER not in each.relative_to(folder).parts]
    return sorted(kept, key=lambda each: [_by_number(part) for part in each.relative_to(folder).parts])


def _by_number(name: str) -> list[tuple[int, str]]:
    """``seed_2`` before ``seed_10``."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def _seed(folder: Path, seed: Any) -> int:
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise InputError(
            f"{folder}: its seed is {seed!r}, not a number, so it cannot be paired with other runs; give every run a "
            f"--{SEED}"
        )
    return seed

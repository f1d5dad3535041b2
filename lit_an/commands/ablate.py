"""``python cli.py ablate``: runs a plan of trainings that differ in one thing each, and reports them."""

import dataclasses
import fcntl
import importlib.util
import math
import os
import shlex
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from lit_an.ablation.cells import Cell, State, cells_of, put_aside, read_record, state_of
from lit_an.ablation.cluster import run_on_cluster
from lit_an.ablation.costs import Cost, cost_of
from lit_an.ablation.plan import SEED, Plan, config_hash
from lit_an.ablation.plan_files import parse_vary, read_plan, short_names, values_as_levels, whole_numbers
from lit_an.ablation.processes import CAN_GO_ON, command_line, run_here
from lit_an.ablation.report import write_report
from lit_an.ablation.runs import read_run
from lit_an.ablation.study import Missing, Study, study_of
from lit_an.code_version import code_hash
from lit_an.durations import in_words
from lit_an.errors import InputError, at_least
from lit_an.files import explain_write_errors, replacing, user_path

Executor = Literal["here", "local", "slurm"]
_WORDS: dict[State, str] = {
    "new": "new",
    "unfinished": "goes on",
    "done": "done",
    "failed": "again: it failed",
    "changed": "again: its config changed",
    "other code": "again: the code changed",
}
PLAN = "plan.yaml"
_AFRESH: tuple[State, ...] = ("changed", "other code")


def run(
    plan: str | None = None,
    config: list[str] | None = None,
    vary: list[str] | None = None,
    output: str | None = None,
    jobs: int | None = None,
    other_code: Literal["again", "keep"] = "again",
    measure_cost: bool = True,
    executor: Executor = "here",
    job: dict[str, bool | int | float | str] | None = None,
    dry_run: bool = False,
    report: str | None = None,
) -> int:
    """Trains all runs of a plan, each as a process of its own, and reports them; a second call does what is missing.

    Args:
        plan: YAML file of what is compared; it may stand without --plan (docs/ablations.md).
        config: in place of a plan, the config to start from; may be given several times.
        vary: with --config, what is varied, KEY=a,b,c; may be given several times, seed_everything=0,1,2 among them.
        output: folder of the runs; None takes runs/ablations/NAME.
        jobs: runs at a time; None takes one for each GPU, or one.
        other_code: what becomes of runs of another version of this code: again, or keep, which mixes versions.
        measure_cost: run a few iterations of each variant first, to say what the plan takes.
        executor: here, or by submitit: slurm, or local for processes of this machine.
        job: parameters of submitit's executor, such as {slurm_partition: gpu, timeout_min: 600, gpus_per_node: 1}.
        dry_run: print the plan and its cost, and start nothing.
        report: a folder of runs, of this bench or any others: only report them.

    Returns:
        0; 1 if a run failed; 130 or 143 if a signal stopped it.
    """
    if report is not None:
        return _report_only(user_path(report), plan or config or vary)
    _check_installed()
    chosen = _plan(plan, config or [], vary or [])
    folder = user_path(output) if output is not None else Path("runs", "ablations", chosen.name)
    slots = _slots(jobs)
    for variant in chosen.variants():
        config_hash(variant, 0)  # reads all configs before anything is made
    with explain_write_errors(folder, "ablate"):
        folder.mkdir(parents=True, exist_ok=True)
    with _alone_in(folder):
        return _bench(chosen, folder, slots, other_code == "keep", measure_cost, executor, job or {}, dry_run)


def _bench(
    plan: Plan,
    folder: Path,
    slots: Sequence[Mapping[str, str]],
    keeps_other_code: bool,
    measure_cost: bool,
    executor: Executor,
    parameters: Mapping[str, Any],
    dry_run: bool,
) -> int:
    code, command, cells = code_hash(), command_line(), cells_of(plan, folder)
    states = {cell: state_of(cell, None if keeps_other_code else code) for cell in cells}
    todo = [cell for cell in cells if states[cell] != "done"]
    costs = _costs(plan, todo, command, slots[0], folder, code) if measure_cost and todo else {}
    for line in _plan_lines(plan, states, costs, len(slots) if executor == "here" else len(todo), folder):
        print(line)
    if costs and all(cost.error for cost in costs.values()):
        # What cannot be trained for six iterations is not tried for hours.
        raise InputError(
            f"ablate: no variant can be trained; {next(iter(costs.values())).error.removeprefix('error: ')}"
        )
    if dry_run:
        return 0
    with replacing(folder / PLAN) as temporary:
        temporary.write_text(plan.text(), encoding="utf-8")
    for cell in todo:
        if states[cell] in _AFRESH:
            _say(f"{cell.name}: what was there is in {put_aside(cell, folder)}")
    if executor == "here":
        ended = run_here(todo, code, command, slots, _say)
    else:
        ended = run_on_cluster(todo, code, command, executor, parameters, folder / "jobs", _say)
    _report(plan, cells, folder)
    if ended.stopped_by is not None or len(ended.outcomes) < len(todo):
        _say("not all runs are done; the same command goes on with them")
        return 128 + ended.stopped_by if ended.stopped_by is not None else CAN_GO_ON
    statuses = {outcome.status for outcome in ended.outcomes}
    return 1 if "failed" in statuses else CAN_GO_ON if "stopped" in statuses else 0


def _check_installed() -> None:
    """What the report needs is looked for before hours of training."""
    missing = [name for name in ("matplotlib", "scipy") if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(f"ablate: the report needs {' and '.join(missing)}; pip install 'lit_an[ablation]'")


def _plan(file: str | None, configs: Sequence[str], vary: Sequence[str]) -> Plan:
    """The plan of a file, of options, or of a file with more that is varied."""
    varied = dict(parse_vary(each) for each in vary)
    given = varied.pop(SEED, None)
    seeds = None if given is None else whole_numbers(given, f"--vary {SEED}: seeds")
    names = short_names(varied)
    factors = {names[key]: values_as_levels(key, values) for key, values in varied.items()}
    if file is not None and configs:
        raise InputError("ablate: give a plan or --config, not both; a plan names its configs under config")
    if file is not None:
        plan = read_plan(user_path(file))
        factors = {**plan.factors, **factors}
        return dataclasses.replace(plan, factors=factors, seeds=plan.seeds if seeds is None else seeds)
    if not configs:
        raise InputError(
            "ablate: there is nothing to run; give a plan, such as configs/ablations/plans/long_range.yaml, or "
            "--config with --vary KEY=a,b,c"
        )
    paths = tuple(user_path(path) for path in configs)
    name = "__".join([paths[0].stem, *factors])
    return Plan(name, paths, {}, factors, seeds=(0,) if seeds is None else seeds)


def _slots(jobs: int | None) -> list[dict[str, str]]:
    """The environment of each run that may go on at the same time: its GPUs, or its share of the cores."""
    import torch

    if jobs is not None:
        at_least("ablate", 1, jobs=jobs)
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    devices = visible.split(",") if visible else [str(number) for number in range(torch.cuda.device_count())]
    devices = devices[: torch.cuda.device_count()]
    number = jobs or max(1, len(devices))
    if devices and number > 1:
        each = max(1, len(devices) // number)
        starts = [slot * each % len(devices) for slot in range(number)]
        return [{"CUDA_VISIBLE_DEVICES": ",".join(devices[start : start + each])} for start in starts]
    if number > 1 and "OMP_NUM_THREADS" not in os.environ:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return [{"OMP_NUM_THREADS": str(max(1, cores // number))}] * number
    return [{}] * number


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """One call at a time works in a folder."""
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise InputError(
                f"ablate: another call works in {folder}; wait for its end, or choose another --output"
            ) from error
        yield


def _costs(
    plan: Plan, todo: Sequence[Cell], command: Sequence[str], environment: Mapping[str, str], folder: Path, code: str
) -> dict[str, Cost]:
    """By variant."""
    variants = {cell.variant.name: cell.variant for cell in todo}
    _say(
        f"measures a few iterations of {len(variants)} variant{'s' * (len(variants) > 1)} (--measure_cost=false: none)"
    )
    costs: dict[str, Cost] = {}
    for name, variant in variants.items():
        costs[name] = cost = cost_of(variant, plan.seeds[0], command, environment, folder, code)
        _say(f"{name}: {cost.error or f'{cost.iteration:.3g} s an iteration'}")
    return costs


def _plan_lines(
    plan: Plan, states: Mapping[Cell, State], costs: Mapping[str, Cost], at_a_time: int, folder: Path
) -> Iterator[str]:
    """What will happen: a row for each variant, and the time in all."""
    variants = plan.variants()
    number = (
        f"{len(variants)} variant{'s' * (len(variants) != 1)} × {len(plan.seeds)} seed{'s' * (len(plan.seeds) != 1)}"
    )
    yield f"\n{plan.name}: {number}, {', '.join(plan.factors) or 'nothing'} varied; runs in {folder}"
    rows = [("variant", "seeds", "", "s/iteration", "a run")]
    for variant in variants:
        by_state: dict[State, list[int]] = {}
        for cell, state in states.items():
            if cell.variant == variant:
                by_state.setdefault(state, []).append(cell.seed)
        cost = costs.get(variant.name)
        for state, seeds in by_state.items():
            each, whole = ("", "") if cost is None or state == "done" else _cost_cells(cost)
            rows.append((variant.name, " ".join(map(str, seeds)), _WORDS[state], each, whole))
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


def _report(plan: Plan, cells: Sequence[Cell], folder: Path) -> None:
    """Reports the runs that are done; says of the others why they are missing."""
    done = [cell for cell in cells if (read_record(cell) or {}).get("status") == "done"]
    if not done:
        return
    baseline = plan.baseline_variant()
    runs = tuple(read_run(cell.folder, cell.variant.shown, cell.seed) for cell in done)
    study = Study(
        plan.name,
        runs,
        baseline=runs[0].variant if baseline is None else baseline.name,
        figures=plan.figures,
        missing=tuple(Missing(cell.name, _reason(cell)) for cell in cells if cell not in done),
        notes=_notes(done),
        plan=plan.text(),
        commands=(shlex.join(["python", "cli.py", *sys.argv[1:]]),),
    )
    for path in write_report(study, folder / "report"):
        print(f"  {path}")


def _notes(done: Sequence[Cell]) -> tuple[str, ...]:
    """What a reader must know to compare the runs."""
    codes = {str((read_record(cell) or {}).get("code"))[:12] for cell in done}
    if len(codes) == 1:
        return ()
    return (f"The runs are of different versions of the code (hashes {', '.join(sorted(codes))}).",)


def _reason(cell: Cell) -> str:
    record = read_record(cell)
    if record is None:
        return "not started"
    if record.get("status") == "failed":
        return f"failed with exit code {record.get('exit_code')}; see {cell.log}"
    return "not ended"


def _report_only(folder: Path, others: object) -> int:
    if others:
        raise InputError("ablate: --report only reads runs that are there; leave --plan, --config and --vary out")
    if not folder.is_dir():
        raise InputError(f"ablate --report {folder}: there is no such folder")
    if (folder / PLAN).is_file():
        plan = read_plan(folder / PLAN)
        _report(plan, cells_of(plan, folder), folder)
        return 0
    for path in write_report(study_of(folder), folder / "report"):
        print(f"  {path}")
    return 0


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)

"""``python cli.py ablate``: runs a plan of trainings that differ in one thing each, and reports them."""

import dataclasses
import importlib.util
import os
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from lit_an.ablation.analysis.cell_study import study_of_cells
from lit_an.ablation.analysis.study import study_of
from lit_an.ablation.bench.cells import Cell, State, cells_of, is_busy, put_aside, state_of
from lit_an.ablation.bench.cluster import run_on_cluster
from lit_an.ablation.bench.costs import Cost, cost_of, iterations_of
from lit_an.ablation.bench.plan import SEED, Plan, config_hash
from lit_an.ablation.bench.plan_files import parse_vary, read_plan, short_names, values_as_levels, whole_numbers
from lit_an.ablation.bench.plan_table import plan_lines
from lit_an.ablation.bench.processes import CAN_GO_ON, STILL_RUNS, command_line, run_here
from lit_an.ablation.bench.slots import slots_of
from lit_an.ablation.report.files import write_report
from lit_an.code_version import code_hash
from lit_an.errors import InputError, at_least, needs_package
from lit_an.files import explain_write_errors, replacing, user_path
from lit_an.files.configs import own_config
from lit_an.files.locks import hold

Executor = Literal["here", "local", "slurm"]
PLAN = "plan.yaml"
_AFRESH: tuple[State, ...] = ("changed", "other code", "diverged", "removed")


def spell_out(options: list[str]) -> list[str]:
    """The options as a parser takes them: a plan may stand without its name, and lists grow by repetition.

    Example:
        >>> spell_out(["plan.yaml", "--vary", "x=1,2", "--vary=y=3"])
        ['--plan', 'plan.yaml', '--vary+', 'x=1,2', '--vary+=y=3']
    """
    if options and not options[0].startswith("-"):
        options = ["--plan", *options]
    lists = {f"--{option}": f"--{option}+" for option in ("config", "vary")}
    halves = [option.partition("=") for option in options]
    return [f"{lists.get(key, key)}{equals}{value}" for key, equals, value in halves]


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
        output: folder of the runs, or with --report of the report. Default: runs/ablations/NAME.
        jobs: runs at a time on this machine. Default: one for each GPU, or one.
        other_code: what becomes of runs of another version of this code: again, or keep, which mixes versions.
        measure_cost: run a few iterations of each variant first, to say what the plan takes; not for slurm, whose
            machines are others.
        executor: here, or by submitit: slurm, or local for processes of this machine.
        job: parameters of submitit's executor, such as {slurm_partition: gpu, timeout_min: 600, gpus_per_node: 1}.
        dry_run: print the plan and its cost, and start nothing.
        report: a folder of runs, of this bench or any others: only report them.

    Returns:
        0; 1 if a run failed; 130 or 143 if a signal stopped it; 75 if runs ended that can go on.
    """
    if report is not None:
        if plan or config or vary or jobs is not None or job or dry_run:
            raise InputError("ablate: --report only reads runs that are there; beside it there is only --output")
        return _report_only(user_path(report), None if output is None else user_path(output))
    _check_installed()
    if job and executor == "here":
        raise InputError("ablate: --job is of a cluster's jobs; give --executor slurm or local too")
    if jobs is not None and executor != "here":
        raise InputError("ablate: --jobs is of this machine; a cluster decides how many run at a time, so leave it out")
    chosen = _plan(plan, config or [], vary or [])
    folder = user_path(output) if output is not None else Path("runs", "ablations", chosen.name)
    if jobs is not None:
        at_least("ablate", 1, jobs=jobs)
    slots = slots_of(jobs, _devices(), _cores())
    for variant in chosen.variants():
        # Reads all configs before anything is made.
        config_hash(variant, 0)
        iterations_of(variant)
    with explain_write_errors(folder, "ablate"):
        folder.mkdir(parents=True, exist_ok=True)
    if holder := hold(folder / ".lock"):
        raise InputError(f"ablate: {holder} works in {folder} already; wait for its end, or choose another --output")
    measure_cost = measure_cost and executor != "slurm"
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
    for line in plan_lines(plan, states, costs, len(slots) if executor == "here" else len(todo), folder):
        print(line)
    if costs and all(cost.error for cost in costs.values()):
        # What cannot be trained for six iterations is not tried for hours.
        raise InputError(
            f"ablate: no variant can be trained; {next(iter(costs.values())).error.removeprefix('error: ')}"
        )
    if dry_run:
        return 0
    with replacing(folder / PLAN) as temporary:
        temporary.write_text(plan.text(folder), encoding="utf-8")
    for cell in todo:
        if states[cell] in _AFRESH:
            if is_busy(cell):
                _say(f"{cell.name}: {STILL_RUNS}")
            _say(f"{cell.name}: what was there is in {put_aside(cell, folder)}")
    if executor == "here":
        ended = run_here(todo, code, command, slots, _say)
    else:
        ended = run_on_cluster(todo, code, command, executor, parameters, folder / "jobs", _say)
    _report(plan, cells, folder / "report")
    if ended.stopped_by is not None or len(ended.outcomes) < len(todo):
        _say("not all runs are done; the same command goes on with them")
        return 128 + ended.stopped_by if ended.stopped_by is not None else CAN_GO_ON
    statuses = {outcome.status for outcome in ended.outcomes}
    return 1 if "failed" in statuses else CAN_GO_ON if "stopped" in statuses else 0


def _check_installed() -> None:
    """What the report needs is looked for before hours of training."""
    for name in ("matplotlib", "scipy"):
        if importlib.util.find_spec(name) is None:
            raise needs_package("ablate: the report needs", name, "ablation")


def _plan(file: str | None, configs: Sequence[str], vary: Sequence[str]) -> Plan:
    """The plan of a file, of options, or of a file with more that is varied."""
    varied: dict[str, tuple[Any, ...]] = {}
    for each in vary:
        key, values = parse_vary(each)
        if key in varied:
            raise InputError(f"ablate: --vary {key} is given twice; give it once, with all values")
        varied[key] = values
    given = varied.pop(SEED, None)
    seeds = None if given is None else whole_numbers(given, f"--vary {SEED}: seeds")
    if file is not None and configs:
        raise InputError("ablate: give a plan or --config, not both; a plan names its configs under config")
    plan = None if file is None else read_plan(user_path(file))
    # Names that tell them from the options of the plan too.
    names = short_names(dict.fromkeys([*varied, *([] if plan is None else plan.varied_options())]))
    factors = {names[key]: values_as_levels(key, values) for key, values in varied.items()}
    if plan is not None:
        for key in varied:
            # The plan's levels may set more than this one option, so neither may stand in for the other.
            if (taken := _factor_of(plan, key, names[key])) is not None:
                raise InputError(f"ablate: {file} varies {taken} already; leave --vary {key} out, or change the plan")
        factors = {**plan.factors, **factors}
        return dataclasses.replace(plan, factors=factors, seeds=plan.seeds if seeds is None else seeds)
    if not configs:
        raise InputError(
            f"ablate: there is nothing to run; give a plan, such as {own_config('ablations/plans/long_range.yaml')}, "
            "or --config with --vary KEY=a,b,c"
        )
    paths = tuple(user_path(path) for path in configs)
    name = "__".join([paths[0].stem, *factors])
    return Plan(name, paths, {}, factors, seeds=(0,) if seeds is None else seeds)


def _factor_of(plan: Plan, key: str, name: str) -> str | None:
    """The factor of a plan that has the name, or that sets the option."""
    return next(
        (
            factor
            for factor, levels in plan.factors.items()
            if factor in (key, name) or any(key in level.options for level in levels)
        ),
        None,
    )


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


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def _devices() -> list[str]:
    """The GPUs that PyTorch sees, as ``CUDA_VISIBLE_DEVICES`` names them."""
    import torch

    count, visible = torch.cuda.device_count(), os.environ.get("CUDA_VISIBLE_DEVICES")
    return (visible.split(",") if visible else [str(number) for number in range(count)])[:count]


def _cores() -> int | None:
    """Cores that this process may use; None if the environment says how many threads a run has."""
    if "OMP_NUM_THREADS" in os.environ:
        return None
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _report(plan: Plan, cells: Sequence[Cell], place: Path) -> bool:
    """Reports the runs that are done in a folder; returns whether there are any."""
    study = study_of_cells(plan, cells, plan.text(Path.cwd()), shlex.join(["python", "cli.py", *sys.argv[1:]]))
    if study is None:
        return False
    for path in write_report(study, place):
        print(f"  {path}")
    return True


def _report_only(folder: Path, place: Path | None) -> int:
    place = folder / "report" if place is None else place
    if not folder.is_dir():
        raise InputError(f"ablate --report {folder}: there is no such folder")
    if (folder / PLAN).is_file():
        plan = read_plan(folder / PLAN)
        if not _report(plan, cells_of(plan, folder), place):
            raise InputError(f"ablate --report {folder}: none of its runs is done yet")
        return 0
    for path in write_report(study_of(folder), place):
        print(f"  {path}")
    return 0

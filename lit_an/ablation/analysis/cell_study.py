"""What a report compares of a bench: the cells that are done."""

from collections.abc import Sequence

from lit_an.ablation.analysis.config_notes import notes_on_equal_configs
from lit_an.ablation.analysis.runs import Run, read_run
from lit_an.ablation.analysis.study import Missing, Study
from lit_an.ablation.bench.cells import Cell, has_run, read_record
from lit_an.ablation.bench.plan import Plan

_SHOWN = 8  # names of runs


def study_of_cells(plan: Plan, cells: Sequence[Cell], text: str, command: str) -> Study | None:
    """The runs of a plan that are done, and of the others why they are missing; None if none is done.

    Args:
        plan: what is compared.
        cells: of the plan.
        text: of the plan, as a reader finds its configs.
        command: line that made the runs.

    Raises:
        InputError: a file of a run cannot be read.
    """
    done = [cell for cell in cells if (read_record(cell) or {}).get("status") == "done" and has_run(cell)]
    if not done:
        return None
    baseline = plan.baseline_variant()
    runs = tuple(read_run(cell.folder, cell.variant.shown, cell.seed) for cell in done)
    return Study(
        plan.name,
        runs,
        baseline=runs[0].variant if baseline is None else baseline.name,
        figures=plan.figures,
        missing=tuple(Missing(cell.name, _reason(cell)) for cell in cells if cell not in done),
        notes=(*_notes(done, runs), *notes_on_equal_configs(runs), *_left_out(cells)),
        plan=text,
        commands=(command,),
    )


def _notes(done: Sequence[Cell], runs: Sequence[Run]) -> tuple[str, ...]:
    """What a reader must know to compare the runs, also of those that went on with other code."""
    codes = {str((read_record(cell) or {}).get("code"))[:12] for cell in done}
    codes |= {code[:12] for run in runs for code in run.codes}
    if len(codes) == 1:
        return ()
    return (f"The runs are of different versions of the code (hashes {', '.join(sorted(codes))}).",)


def _left_out(cells: Sequence[Cell]) -> tuple[str, ...]:
    """Runs that stand in the folder and are no cells, such as those of seeds that an earlier call had."""
    folder, known = cells[0].folder.parents[1], {cell.record for cell in cells}
    names = [f"{path.parent.name}/{path.stem}" for path in sorted(folder.glob("*/seed_*.json")) if path not in known]
    if not names:
        return ()
    shown = ", ".join([*names[:_SHOWN], *(["…"] if len(names) > _SHOWN else [])])
    return (f"The plan does not have these runs in {folder}, so they are left out: {shown}.",)


def _reason(cell: Cell) -> str:
    record = read_record(cell)
    if record is None:
        return "not started"
    if record.get("status") == "failed":
        return f"failed with exit code {record.get('exit_code')}; see {cell.log}"
    if record.get("status") == "done":
        return f"it was done, and {cell.folder} has no run any more"
    return "not ended"

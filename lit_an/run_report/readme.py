"""The README of a run folder: what is in it, how it was made, its figures and pictures so far, how to go on."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from lit_an.durations import in_words
from lit_an.errors import InputError
from lit_an.files import printable
from lit_an.metrics.directions import KINDS, Kind, kind_of
from lit_an.run_report.charts_of_run import levels_of
from lit_an.run_report.reading import RECORD, Curves, curves_of, json_in, last_pictures, results_of, rows_of

FILE = "README.md"
_ARROWS = {"higher": "↑", "lower": "↓", None: ""}
_LAYOUT_FIGURES = ("effective_regions", "dead_regions", "position_entropy", "residual_strength", "position_share")
# What may be in a run folder, and what it is; names as ``Path.glob`` takes them.
_CONTENTS = {
    "checkpoints": "the whole state of the training, to go on from: `last.ckpt` is the newest",
    "config.yaml": "the full config, every default included",
    "metrics.csv": "all curves as a table: a row for each time something was logged, `step` counts iterations",
    "metrics_val_*.json": "figures of a validation, with all settings that they depend on",
    "metrics_val_*.csv": "the figures of each image of a validation",
    "metrics_test_*.json": "figures on the test split",
    "layout_scores_*.json": "scores of the learned regions",
    "curves.png": "the curves as a picture",
    "reals.png": "real images, laid out as the samples are",
    "samples": "samples of fixed latents over time; `history` is an animation of them",
    "inpainting": "filled holes of fixed images over time, stage by stage",
    "layouts": "the regions of each layer over time, a folder a layer",
    "predictions": "what `sample` or `inpaint` wrote",
    "run.json": "command, versions, git state, machine, sizes of the networks, all starts",
    "events.out.tfevents*": "curves and pictures for `tensorboard --logdir`",
    "wandb": "files of Weights & Biases",
    "mlflow.db": "database of MLflow",
    "comet": "archive of Comet",
}


class Progress(NamedTuple):
    """Where a run is.

    Attributes:
        state: such as ``training`` or ``finished``, in words.
        iteration: of the generator.
        length: iterations in all; None without an end.
        time: now, in words.
        inpaints: whether its network fills holes.
        program: the words that start the command line, such as ``lit-an``.
        facts: of ``run.json``, for a run that has not written it yet.
    """

    state: str
    iteration: int
    length: int | None
    time: str
    inpaints: bool
    program: str
    facts: Mapping[str, Any]


def readme_of(folder: Path, progress: Progress) -> str:
    """The Markdown of a run folder.

    Args:
        folder: of the run; what is in it is read.
        progress: where the run is.
    """
    logged = curves_of(rows_of(folder))
    try:
        facts = json_in(folder / RECORD) if (folder / RECORD).is_file() else progress.facts
    except InputError:  # the run replaces a broken one
        facts = progress.facts
    sections = [
        [f"# {_plain(folder.resolve().name)}", "", *_state(progress, logged)],
        _figures(folder, progress.iteration),
        _pictures(folder, progress.iteration),
        _last_row(logged),
        _use(folder, progress),
        _contents(folder),
        _origin(facts),
    ]
    return printable("\n".join("\n".join(section) + "\n" for section in sections if section))


def program_of(argv: Sequence[str]) -> str:
    """The words that start the command line, from ``sys.argv``.

    Example:
        >>> program_of(["/usr/bin/lit-an", "fit"]), program_of(["cli.py", "fit"])
        ('lit-an', 'python cli.py')
    """
    name = argv[0] if argv else ""
    return f"python {shlex.quote(name)}" if Path(name).name == "cli.py" else "lit-an"


def _state(progress: Progress, logged: Curves) -> Iterator[str]:
    of = "" if progress.length is None else f" of {progress.length:,}"
    seconds = logged.get("time/seconds", {})
    taken = f", {in_words(seconds[max(seconds)])} of iterations by the last log" if seconds else ""
    yield f"**{progress.state}**: iteration {progress.iteration:,}{of}{taken}. Written {progress.time}."


def _figures(folder: Path, until: int) -> list[str]:
    """A table of the metrics of the last validation; ↑ and ↓ say which way is better.

    A run that went back to an earlier checkpoint has files of iterations that it has not made again.
    """
    try:
        results = [found for found in results_of(folder, "metrics_val") if found[0] <= until]
    except InputError:
        results = []
    values: dict[str, dict[int, float]] = {}
    for iteration, result in results:
        for name, value in result.get("figures", {}).items():
            values.setdefault(name, {})[iteration] = value
    newest = results[-1][1] if results else {}
    rows = []
    for name, curve in values.items():
        kind = kind_of(name) or Kind(name, None)
        if name.endswith(("_floor", "_deviation")):
            continue
        beside = ", ".join(f"{_plain(label)} {value:.4g}" for label, value in levels_of(name, newest).items())
        rows.append((list(KINDS).index(name) if name in KINDS else len(KINDS), _row(kind, curve, beside)))
    if not rows:
        return []
    lines = [row for _, row in sorted(rows, key=lambda pair: pair[0])]
    head = ["| figure | better | last | at iteration | best | beside it |", "|---|---|---|---|---|---|"]
    notes = [f"- {_plain(str(warning))}" for warning in newest.get("warnings", [])]
    return ["## Figures", "", *head, *lines, *([""] if notes else []), *notes]


def _row(kind: Kind, curve: Mapping[int, float], beside: str) -> str:
    last, best = max(curve), ""
    if kind.better is not None:
        choose = max if kind.better == "higher" else min
        at = choose(curve, key=lambda iteration: curve[iteration])
        best = f"{curve[at]:.4g} ({at:,})"
    return f"| {_plain(kind.title)} | {_ARROWS[kind.better]} | {curve[last]:.4g} | {last:,} | {best} | {beside} |"


def _last_row(logged: Curves) -> list[str]:
    """The last value of losses, speed and layout health."""
    rows = []
    for name, curve in logged.items():
        is_shown = name.startswith(("train/", "val/", "time/images")) and kind_of(name) is None
        if is_shown or (name.startswith("layout/") and name.rpartition("/")[2] in _LAYOUT_FIGURES):
            rows.append(f"| {_plain(name)} | {curve[max(curve)]:.4g} | {max(curve):,} |")
    return ["## Training", "", "| logged | last | at iteration |", "|---|---|---|", *sorted(rows)] if rows else []


def _pictures(folder: Path, until: int) -> list[str]:
    # What the network makes before its regions.
    shown = sorted(last_pictures(folder, until).items(), key=lambda each: each[0].startswith("layouts"))
    found = [(f"{tag}, iteration {int(path.stem.rpartition('_')[2]):,}", path) for tag, path in shown]
    fixed = (("real images", folder / "reals.png"), ("curves", folder / "curves.png"))
    found += [(name, path) for name, path in fixed if path.is_file()]
    lines = []
    for name, path in found:
        place = quote(path.relative_to(folder).as_posix())
        histories = sorted(path.parent.glob("history.*")) if path.parent != folder else []
        lines += ["", f"{_plain(name)}:", "", f"![{_plain(name)}]({place})", *[""][: len(histories)]]
        lines += [f"[as an animation]({quote(history.relative_to(folder).as_posix())})" for history in histories]
    return ["## Pictures", *lines] if lines else []


def _use(folder: Path, progress: Progress) -> list[str]:
    place = shlex.quote(str(folder))
    start = f"    {progress.program} "
    more = "" if progress.length is None else f" --iterations {max(progress.length, progress.iteration) * 2}"
    lines = [f"{start}fit --ckpt_path {place}{more if progress.state == 'finished' else ''}"]
    if progress.inpaints:
        lines += [
            f"{start}inpaint --ckpt_path {place} --images PHOTOS --masks MASKS",
            f"{start}demo --ckpt_path {place}",
        ]
    else:
        lines += [f"{start}sample --ckpt_path {place}"]
    lines += [f"{start}export --ckpt_path {place}", f"{start}plot {place}", f"    tensorboard --logdir {place}"]
    return ["## Go on and use", "", "From the folder that the run was started in:", "", *lines]


def _contents(folder: Path) -> list[str]:
    there = {name: what for name, what in _CONTENTS.items() if any(folder.glob(name))}
    rows = [f"| {f'`{name}`' if '*' in name else f'[{name}]({name})'} | {what} |" for name, what in there.items()]
    return ["## What is here", "", "| | |", "|---|---|", *rows] if rows else []


def _origin(facts: Mapping[str, Any]) -> list[str]:
    """Command, git state, versions, machine and sizes, as far as they are known."""
    rows = []
    git = facts.get("git")
    if git:
        rows.append(("commit", f"`{git['commit']}`{', with changed files' if git.get('is_changed') else ''}"))
    if facts.get("versions"):
        rows.append(("versions", ", ".join(f"{_plain(name)} {version}" for name, version in facts["versions"].items())))
    machine = facts.get("machine")
    if machine:
        said = f"{machine.get('device')}, {machine.get('cpu')}, {machine.get('cores')} cores, {machine.get('system')}"
        rows.append(("machine", _plain(said)))
    if facts.get("processes", 1) > 1:
        rows.append(("processes", str(facts["processes"])))
    counted = facts.get("parameters") or {}
    if counted:
        rows.append(("parameters", ", ".join(f"{network} {count:,}" for network, count in counted.items())))
    if facts.get("peak_memory"):
        rows.append(("peak memory", f"{facts['peak_memory'] / 2**20:,.0f} MiB"))
    starts = facts.get("starts") or []
    if len(starts) > 1:
        rows.append(("starts", "; ".join(f"iteration {start['iteration']:,} at {start['time']}" for start in starts)))
    table = ["", "| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)] if rows else []
    return ["## How it was made", "", f"    {_command(facts.get('command') or [])}", *table]


def _command(argv: Sequence[str]) -> str:
    words = shlex.join(map(str, argv)).replace("\n", " ")
    return f"python {words}" if argv and str(argv[0]).endswith(".py") else words


def _plain(text: str) -> str:
    """Text that Markdown shows as it is, also in a table."""
    for special in ("\\", "|", "*", "_", "`", "[", "]", "<"):
        text = text.replace(special, f"\\{special}")
    return " ".join(text.split())

"""Draws the curves of runs as one PNG. Needs matplotlib, of the extra ``plot``.

Of one run each line has its color; of several runs each run has one, and lines of a chart differ in their dashes.
"""

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from lit_an.files import replacing
from lit_an.run_report.charts_of_run import Curve, Curves, curves_in
from lit_an.run_report.line_styles import STYLE, line_style, marks_every

FILE = "curves.png"
_COLUMNS, _WIDTH, _HEIGHT = 3, 4.0, 2.5  # of a chart, inches
_HEAD, _LINE = 0.3, 0.18  # inches: title; a run in the legend
_MOST_POINTS = 500  # of a line: more are averaged
_DPI = 110


def write_curves(folders: Sequence[Path], path: Path) -> None:
    """Writes the curves of run folders as one PNG.

    Args:
        folders: of the runs; each has a color, and its name in the legend.
        path: ending in ``.png``.

    Raises:
        InputError: a folder has no curves.
        OutputError: the file cannot be written.
    """
    runs = [curves_in(folder) for folder in folders]
    names = distinct_names(folders)
    content = picture_of([run._replace(name=name) for run, name in zip(runs, names, strict=True)])
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def distinct_names(folders: Sequence[Path]) -> list[str]:
    """The last parts of paths, as many as tell them apart.

    Example:
        >>> distinct_names([Path("/runs/a/seed_0"), Path("/runs/b/seed_0")])
        ['a/seed_0', 'b/seed_0']
    """
    parts = [folder.resolve().parts for folder in folders]
    for count in range(1, max(map(len, parts), default=0)):
        names = ["/".join(each[-count:]) for each in parts]
        if len(set(names)) == len(set(parts)):
            return names
    return [str(folder) for folder in folders]


def picture_of(runs: Sequence[Curves]) -> bytes:
    """The PNG of all charts that any of the runs has."""
    titles = list(dict.fromkeys(title for run in runs for title in run.charts))
    last = max(max(curve) for run in runs for chart in run.charts.values() for curve in chart.values())
    rows = -(-len(titles) // _COLUMNS)
    head = _HEAD + (_LINE * len(runs) if len(runs) > 1 else 0)
    height = head + rows * _HEIGHT
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(_COLUMNS * _WIDTH, height), dpi=_DPI)
        for place, title in enumerate(titles):
            left, top = place % _COLUMNS * _WIDTH + 0.6, head + place // _COLUMNS * _HEIGHT + 0.25
            wide = _COLUMNS * _WIDTH
            box = (left / wide, 1 - (top + _HEIGHT - 0.7) / height, (_WIDTH - 0.8) / wide, (_HEIGHT - 0.75) / height)
            axes = figure.add_axes(box)
            _draw(axes, title, runs)
            axes.set_xlim(-0.02 * max(last, 1), 1.02 * max(last, 1))  # the same in all charts
            axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
            if axes.get_yscale() == "linear":
                axes.ticklabel_format(axis="y", useOffset=False)
        _head(figure, runs, height)
        file = io.BytesIO()
        FigureCanvasAgg(figure).print_png(file, metadata={"Software": None})
    return file.getvalue()


def _head(figure: Any, runs: Sequence[Curves], height: float) -> None:
    """The name of the run, or a legend of several."""
    text: dict[str, Any] = {"fontsize": 9.0, "va": "center", "parse_math": False}
    if len(runs) == 1:
        figure.text(0.6 / figure.get_figwidth(), 1 - 0.25 / height, runs[0].name, **{**text, "fontweight": "bold"})
        return
    for number, run in enumerate(runs):
        y, wide = 1 - (0.25 + number * _LINE) / height, figure.get_figwidth()
        style = {**line_style(number), "linestyle": "-"}
        line = Line2D((0.6 / wide, 0.8 / wide, 1.0 / wide), (y, y, y), markersize=4, linewidth=1.4, markevery=(1, 2))
        line.set(color=style["color"], marker=style["marker"])
        figure.add_artist(line)
        figure.text(1.1 / wide, y, run.name, **text)


def _draw(axes: Any, title: str, runs: Sequence[Curves]) -> None:
    labels = list(dict.fromkeys(label for run in runs for label in run.charts.get(title, {})))
    values: list[float] = []
    for number, run in enumerate(runs):
        for label, curve in run.charts.get(title, {}).items():
            place = labels.index(label)
            several = len(runs) > 1
            style = line_style(number if several else place)
            style["linestyle"] = line_style(place)["linestyle"]
            x, y = _averaged(curve)
            name = label if not several or number == 0 else None
            axes.plot(x, y, **style, label=name or None, linewidth=1.2, markersize=3.5, markevery=marks_every(len(x)))
            values += y.tolist()
    # Runs of one task share their baselines: those of the first that has them.
    levels = next((run.levels[title] for run in runs if run.levels.get(title)), {})
    for number, (name, value) in enumerate(levels.items()):
        axes.axhline(value, color="#777777", linewidth=1.0, linestyle=(0, (1 + 3 * number, 2)), zorder=1)
        axes.annotate(
            f"{name} {value:.4g}", (1, value), xycoords=("axes fraction", "data"), xytext=(-2, 2),
            textcoords="offset points", ha="right", fontsize=6.5, color="#555555",
        )  # fmt: skip
    positive = [value for value in [*values, *levels.values()] if value > 0]
    if positive and len(positive) == len(values) + len(levels) and max(positive) > 30 * min(positive):
        axes.set_yscale("log")
    axes.set_title(title, loc="left", fontsize=8.5, fontweight="bold")
    axes.set_xlabel("Iteration", labelpad=1)
    if not any(values) and not levels:
        axes.set_ylim(-0.05, 1)
    if len(labels) > 1:
        legend = axes.legend(fontsize=6.5, frameon=True, framealpha=0.8, edgecolor="none", handlelength=2.6)
        if len(runs) > 1:  # here the dashes count, not the colors
            for handle in legend.get_lines():
                handle.set(color="#333333", marker="")


def _averaged(curve: Curve) -> tuple[np.ndarray, np.ndarray]:
    """Iterations and values; of very many, means of as many neighbors as needed."""
    points = np.array(sorted(curve.items()), dtype=float)  # (count, 2)
    size = math.ceil(len(points) / _MOST_POINTS)
    if size > 1:
        points = np.stack([part.mean(0) for part in np.array_split(points, len(points) // size)])
    return points[:, 0], points[:, 1]

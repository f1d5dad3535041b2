"""Charts of a study: figures over iterations and over time, as SVG for the page and as PNG.

Needs matplotlib, of the extra ``ablation``. Lines differ in color, dashes and markers, and have their names at their
ends, so that a chart can be read in gray.
"""

import io
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from lit_an.ablation.analysis.comparison import Clock, clock_of, machines_of, title_of, whole_or_all
from lit_an.ablation.analysis.runs import Point, Run
from lit_an.ablation.analysis.study import Study
from lit_an.metrics.directions import kind_of
from lit_an.run_report.line_styles import STYLE, line_style, marks_every

_WIDTH, _HEIGHT = 4.9, 3.1  # inches; the page shows two beside each other
_LEFT, _LINE, _LETTER = 0.59, 0.15, 0.066  # inches: numbers of the axis, height of a name, width of a letter
_LONGEST_NAME = 26  # characters; the table has the whole name


class Chart(NamedTuple):
    """A chart.

    Attributes:
        name: of its file, without ending.
        title: what it shows.
        svg, png: contents of files.
        alt: what it shows, for those who do not see it.
    """

    name: str
    title: str
    svg: bytes
    png: bytes
    alt: str


class _Curve(NamedTuple):
    """Mean, least and largest value over seeds, by iteration or time."""

    x: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    seeds: int


def learning_curves(study: Study, figure: str) -> list[Chart]:
    """A figure over iterations and over time; the latter only where the runs recorded it, on one kind of machine.

    None of a figure that every variant has at one iteration alone.
    """
    clock = clock_of(study)
    axis_of_time = {"processor_seconds": "Processor time", "seconds": "Time"}[clock]
    by_iteration = {
        v: c for v in study.variants if (c := _curve(whole_or_all(study, v), figure, lambda p: p.iteration))
    }
    by_time = {v: c for v in study.variants if (c := _curve(whole_or_all(study, v), figure, _time_of(clock)))}
    if all(len(curve.x) < 2 for curve in by_iteration.values()):
        return []
    file = figure.replace("/", "_")
    charts = [_chart(study, figure, f"{file}_iterations", "Iteration", by_iteration)]
    if by_time and len(machines_of(study)) < 2:
        longest = max(curve.x[-1] for curve in by_time.values())
        size, unit = next(((s, u) for s, u in ((3600.0, "h"), (60.0, "min")) if longest >= 2 * s), (1.0, "s"))
        scaled = {variant: curve._replace(x=curve.x / size) for variant, curve in by_time.items()}
        charts.append(_chart(study, figure, f"{file}_time", f"{axis_of_time}, {unit}", scaled))
    return charts


def _time_of(clock: Clock) -> Callable[[Point], float]:
    return lambda point: float(getattr(point, clock))


def _curve(runs: Sequence[Run], figure: str, place: Callable[[Point], float]) -> _Curve | None:
    """Over the iterations at which all runs that have the figure were measured; None without one."""
    found = [
        {p.iteration: (place(p), p.value) for p in run.curves.get(figure, ()) if math.isfinite(p.value + place(p))}
        for run in runs
    ]
    found = [points for points in found if points]
    if not found:
        return None
    shared = sorted(set.intersection(*(set(points) for points in found)))
    if not shared:
        return None
    table = np.array([[points[iteration] for iteration in shared] for points in found])  # (seeds, iterations, 2)
    values = table[..., 1]
    return _Curve(table[..., 0].mean(0), values.mean(0), values.min(0), values.max(0), len(found))


def _chart(study: Study, figure: str, name: str, axis: str, curves: dict[str, _Curve]) -> Chart:
    with matplotlib.rc_context(STYLE):
        height = max(_HEIGHT, 0.9 + _LINE * len(curves))
        drawn = Figure(figsize=(_WIDTH, height))
        names = _LETTER * min(max(map(len, curves)), _LONGEST_NAME)
        width = (_WIDTH - _LEFT - names) / 1.14  # names begin a little to the right
        axes = drawn.add_axes((_LEFT / _WIDTH, 0.42 / height, width / _WIDTH, 1 - 0.72 / height))
        for variant, curve in curves.items():
            style = line_style(study.variants.index(variant))
            axes.plot(curve.x, curve.mean, **style, linewidth=1.4, markersize=4, markevery=marks_every(len(curve.x)))
            if curve.seeds > 1:
                axes.fill_between(curve.x, curve.low, curve.high, color=style["color"], alpha=0.13, linewidth=0)
        kind = kind_of(figure)
        better = f" ({kind.better} is better)" if kind and kind.better else ""
        axes.set_title(f"{title_of(figure)}{better}", loc="left", fontsize=8.5, fontweight="bold")
        axes.set_xlabel(axis)
        axes.margins(x=0.02)
        _fit_y(axes, curves)
        _name_lines(study, axes, curves, height)
        svg, png = io.BytesIO(), io.BytesIO()
        FigureCanvasSVG(drawn).print_svg(svg, metadata={"Date": None, "Creator": None})
        drawn.set_dpi(200)
        FigureCanvasAgg(drawn).print_png(png, metadata={"Software": None})
    ends = "; ".join(f"{variant} ends at {curve.mean[-1]:.4g}" for variant, curve in curves.items())
    title = f"{title_of(figure)} over {'iterations' if axis == 'Iteration' else 'time'}"
    return Chart(name, title, svg.getvalue(), png.getvalue(), f"{title}, a line for each variant. {ends}.")


def _fit_y(axes: Any, curves: dict[str, _Curve]) -> None:
    """Logarithmic where a positive figure spans more than a factor of 30."""
    low = min(float(curve.low.min()) for curve in curves.values())
    high = max(float(curve.high.max()) for curve in curves.values())
    if low > 0 and high > 30 * low:
        axes.set_yscale("log")


def _name_lines(study: Study, axes: Any, curves: dict[str, _Curve], height: float) -> None:
    """The name of each line beside its end, moved apart where they would overlap, with its marker; dots lead to it."""
    axes.get_xlim(), axes.get_ylim()  # sets the limits, which are otherwise found when it is drawn
    axes.autoscale(False)
    to_axes = axes.transData + axes.transAxes.inverted()
    ends = {name: to_axes.transform((curve.x[-1], curve.mean[-1])) for name, curve in curves.items()}
    order = sorted(ends, key=lambda name: ends[name][1])
    gap = _LINE / (height - 0.72)
    places: list[float] = []
    for name in order:
        places.append(max(float(ends[name][1]), places[-1] + gap if places else 0.0))
    # What stands too high moves down, and what is below it with it.
    limit = 1.0
    for position in range(len(places) - 1, -1, -1):
        places[position] = limit = min(places[position], limit)
        limit -= gap
    for name, place in zip(order, places, strict=True):
        style, (x, y) = line_style(study.variants.index(name)), ends[name]
        box = {"transform": axes.transAxes, "clip_on": False}
        axes.plot((x + 0.01, 1.045), (y, place), color="#888888", linestyle=(0, (1, 3)), linewidth=0.6, **box)
        axes.plot((1.045, 1.105), (place, place), **{**style, "marker": ""}, linewidth=1.4, **box)
        axes.plot(1.075, place, color=style["color"], marker=style["marker"], markersize=4, **box)
        # Names of several factors often differ at their ends.
        half = _LONGEST_NAME // 2
        text = name if len(name) <= _LONGEST_NAME else f"{name[: half - 1]}…{name[-half:]}"
        axes.text(
            1.125, place, text, transform=axes.transAxes, va="center", fontsize=7.5, color="#111111", parse_math=False
        )

"""How lines are drawn in charts: they differ in color, dashes and markers, so that a chart can be read in gray."""

from typing import Any

# Okabe and Ito's palette for all kinds of color vision, without its yellow, which white paper swallows.
COLORS = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
_DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (5, 1.5, 1.2, 1.5)), (0, (8, 2)))
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "*")
STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 8.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.edgecolor": "#555555",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.5,
    "xtick.color": "#333333",
    "ytick.color": "#333333",
    "axes.unicode_minus": True,
    "svg.hashsalt": "lit_an",
}


def line_style(index: int) -> dict[str, Any]:
    """Arguments of a line: lines of one color differ in their dashes and markers."""
    return {
        "color": COLORS[index % len(COLORS)],
        "linestyle": _DASHES[(index + index // len(COLORS)) % len(_DASHES)],
        "marker": _MARKERS[index % len(_MARKERS)],
    }


def marks_every(count: int) -> int:
    """Every so many of ``count`` points have a marker: about eight in all."""
    return max(1, round(count / 8))

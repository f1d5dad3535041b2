"""Which charts the curves of a run make: losses, metrics with their baselines, learning rates, layouts, speed."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lit_an.errors import InputError
from lit_an.metrics.directions import KINDS, kind_of
from lit_an.run_report.reading import TABLE, curves_of, results_of, rows_of
from lit_an.run_report.row_checks import check_rows

Curve = Mapping[int, float]


class Curves(NamedTuple):
    """What is drawn of one run.

    Attributes:
        name: of the run folder.
        charts: by title, the lines by label: value by iteration.
        levels: by title, horizontal lines by label: baselines and floors.
    """

    name: str
    charts: Mapping[str, Mapping[str, Curve]]
    levels: Mapping[str, Mapping[str, float]]


# Titles of charts of what is logged, in their order, and what is in each; the groups of a match are the label.
_LOGGED = (
    ("Losses of the generator", r"(train|val)/generator/(?!spread$|learning_rate$)(.+)"),
    ("Losses of the discriminator", r"(train|val)/discriminator/((?:adversarial|orthogonality|\w+_penalty))"),
    ("Logits of the discriminator", r"(train|val)/(?:discriminator/)?((?:real|fake)_logits)"),
    ("Accuracy of the discriminator", r"(train)/discriminator/accuracy"),
    ("Spread of the images", r"(train)/generator/spread"),
    ("Learning rates", r"train/(generator|discriminator)/learning_rate"),
    ("Regions in use (effective number)", r"layout/([^/]+)/effective_regions"),
    ("Dead regions", r"layout/([^/]+)/dead_regions"),
    ("Entropy of the membership of a position, nats", r"layout/([^/]+)/position_entropy"),
    ("Strength of the residual ρ", r"layout/([^/]+)/residual_strength"),
    ("Agreement with known regions", r"layout/([^/]+)/(agreement|agreement_by_chance)"),
    ("Images per second", r"time/images_per_second"),
)
_METRICS_BEFORE = "Learning rates"


def curves_in(folder: Path) -> Curves:
    """Reads the curves of a run folder, also while the run goes on.

    Raises:
        InputError: it has no figures, none that a chart is made of, or a file is broken.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder; give the folder of a run")
    rows = rows_of(folder)
    check_rows(folder, rows)
    logged = curves_of(rows)
    results = results_of(folder, "metrics_val")
    if not logged and not results:
        raise InputError(f"{folder} has no curves: there are no figures in {TABLE}; give the folder of a run")
    metrics, levels = _metrics(logged, results)
    charts: dict[str, Mapping[str, Curve]] = {}
    for title, pattern in _LOGGED:
        if title == _METRICS_BEFORE:
            charts |= metrics
        lines = {_label(found): logged[name] for name in logged if (found := re.fullmatch(pattern, name))}
        if lines:
            charts[title] = lines
    if not charts:
        raise InputError(
            f"{folder} has no curves that plot knows: {TABLE} has {', '.join(sorted(logged)[:8])}; give the folder of "
            "a run of lit_an"
        )
    return Curves(folder.resolve().name, charts, levels)


def _label(found: "re.Match[str]") -> str:
    return " ".join(found.groups()).removeprefix("train ")


def _metrics(
    logged: Mapping[str, Curve], results: list[tuple[int, Mapping[str, Any]]]
) -> tuple[dict[str, Mapping[str, Curve]], dict[str, dict[str, float]]]:
    """A chart for each figure of validations that has a better and a worse, with its levels."""
    values: dict[str, dict[int, float]] = {}
    for name, curve in logged.items():
        if name.startswith("val/"):
            values.setdefault(name.removeprefix("val/"), {}).update(curve)
    for iteration, result in results:
        for name, value in result.get("figures", {}).items():
            values.setdefault(name, {})[iteration] = value
    newest: Mapping[str, Any] = results[-1][1] if results else {}
    charts: dict[str, Mapping[str, Curve]] = {}
    levels: dict[str, dict[str, float]] = {}
    for name in KINDS:  # in their order; percentages are the same curves again
        kind = kind_of(name)
        if name in values and kind and kind.better and not name.endswith("_percent"):
            title = f"{kind.title} ({kind.better} is better)"
            charts[title] = {"": values[name]}
            levels[title] = levels_of(name, newest)
    return charts, levels


def levels_of(figure: str, result: Mapping[str, Any]) -> dict[str, float]:
    """What a figure is compared with: its floor and the baselines, by name.

    Args:
        figure: such as ``fid``.
        result: content of a ``metrics_….json``.

    Example:
        >>> levels_of("psnr", {"figures": {"psnr": 30.0}, "baselines": {"mean": {"figures": {"psnr": 27.5}}}})
        {'mean': 27.5}
    """
    baselines = (result.get("baselines") or {}).items()
    found = {label_of_baseline(name, one): one["figures"].get(figure) for name, one in baselines}
    found["floor"] = result.get("figures", {}).get(f"{figure}_floor")
    return {name: value for name, value in found.items() if value is not None}


def label_of_baseline(name: str, baseline: Mapping[str, Any]) -> str:
    """The name of a baseline; where it filled a part of the images only, as slow ones do, with their number.

    Args:
        name: such as ``biharmonic``.
        baseline: its entry in a ``metrics_….json``.

    Example:
        >>> label_of_baseline("mean", {"images": 512}), label_of_baseline("biharmonic", {"images": 16, "model": {}})
        ('mean', 'biharmonic of 16 images')
    """
    return f"{name} of {baseline['images']} images" if "model" in baseline else name

"""The parts of the page that one kind of task has: inpainting by hole area, and layouts against ground truth."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lit_an.ablation.analysis.comparison import figures_of, iteration_of, shared_iteration, title_of
from lit_an.ablation.analysis.runs import Run
from lit_an.ablation.analysis.study import Study
from lit_an.ablation.report.formatting import ARROWS, mean_text
from lit_an.ablation.report.markup import Html, breakable, data_table, element
from lit_an.metrics.directions import kind_of
from lit_an.run_report.charts_of_run import label_of_baseline

_NONE = "–"
# In the order of a table; the learned layout of each variant, then what stands beside it.
_LAYOUT_FIGURES = ("miou", "ari", "nmi", "boundary_f", "regions_in_use", "position_share")
_LEARNED = "learned"
_SCORE_DECIMALS = 3  # of layouts' scores, shares and means over images


def by_hole_area(study: Study) -> Html | None:
    """The figures of inpainting for each bin of hole area, at equal iterations; None if no run has them."""
    tables, images = [], dict[str, dict[str, None]]()
    for figure in figures_of(study):
        at = iteration_of(study, figure)
        found = [(run, run.results[at]) for run in study.runs if at is not None and at in run.results]
        bins = sorted({b for _, result in found for b, told in _bins(result).items() if figure in told})
        if at is None or not bins:
            continue
        rows = [
            (breakable(name), [_mean(_number(_section(each, bin_), figure) for each in sources) for bin_ in bins])
            for name, sources in _by_bin(study, found)
        ]
        rows = [(name, cells) for name, cells in rows if set(cells) != {_NONE}]
        caption = (
            f"{_titled(figure)} by the share of an image that is hole, at iteration {at:,}: mean ± standard deviation "
            "over seeds."
        )
        tables.append(data_table(caption, ["Variant", *(f"{each} %" for each in bins)], rows, f"{figure} by hole area"))
        for each in bins:
            counts = (_number(_section(_bins(result), each), "images") for _, result in found)
            images.setdefault(each, {}).update({f"{count:.0f}": None for count in counts if count is not None})
    if not tables:
        return None
    told = ", ".join(f"{each} %: {' or '.join(counts)}" for each, counts in sorted(images.items()) if counts)
    return element(
        "section",
        element("h2", "By hole area"),
        element("p", f"Images in each bin: {told}.") if told else None,
        tables,
    )


def _by_bin(
    study: Study, found: Sequence[tuple[Run, Mapping[str, Any]]]
) -> Iterable[tuple[str, list[Mapping[str, Any]]]]:
    """The bins of each run, by variant; after them each filling that trains nothing, as the first run has it."""
    for variant in study.variants:
        yield variant, [_bins(result) for run, result in found if run.variant == variant]
    fillings: dict[str, Mapping[str, Any]] = {}
    for _, result in found:
        baselines = _section(result, "baselines")
        for name in baselines:
            baseline = _section(baselines, name)
            fillings.setdefault(label_of_baseline(f"{name} filling", baseline), _bins(baseline))
    yield from ((name, [bins]) for name, bins in fillings.items())


def _bins(result: Mapping[str, Any]) -> Mapping[str, Any]:
    return _section(result, "by_bin")


def layout_truth(study: Study) -> Html | None:
    """Learned layouts against ground truth, beside what learns nothing; None if no run has scores.

    Each table is of one ground truth and of one iteration, the last one at which more than half of the variants that
    have the layer were scored.
    """
    layers = dict.fromkeys(
        layer for run in study.runs for scores in run.layout_scores.values() for layer in _section(scores, "layers")
    )
    parts: list[Html] = []
    for layer in layers:
        scored = {
            variant: {
                at
                for run in study.of(variant)
                for at, told in run.layout_scores.items()
                if layer in _section(told, "layers")
            }
            for variant in study.variants
        }
        at = shared_iteration(scored.values())
        if at is None:
            told = "; ".join(
                f"{variant} at {', '.join(map(str, sorted(its)))}" for variant, its in scored.items() if its
            )
            parts.append(
                element("p", f"The layouts of {layer} were scored at no iteration that variants share: {told}.")
            )
            continue
        of_truths: dict[str, list[tuple[Run, Mapping[str, Any]]]] = {}
        for variant in study.variants:
            for run in study.of(variant):
                scores = run.layout_scores.get(at, {})
                if layer in _section(scores, "layers"):
                    of_truths.setdefault(_truth_of(scores, layer), []).append((run, scores))
        parts += [_layer(layer, f"{truth}, at iteration {at:,}", found) for truth, found in of_truths.items()]
    if not parts:
        return None
    explained = (
        "How well the strongest regions of a layout fit the regions of the picture, beside layouts of as many regions: "
        "those of the same layer with initial filters, k-means of its features and of colors, blocks, chance. A layout "
        "no better than that of initial filters has not learned these regions. Mean ± standard deviation over seeds. "
        "Only scores of one table compare."
    )
    return element("section", element("h2", "Layouts against ground truth"), element("p", explained), parts)


def _truth_of(scores: Mapping[str, Any], layer: str) -> str:
    """What layouts of a layer were compared with, in words that are the same where scores compare."""
    truth, images = _section(scores, "truth"), _section(scores, "images")
    source = str(_section(truth, "source").get(layer))
    against = {
        "segmenter": "a classifier of pixels that was fitted to real images",
        "region maps": "the region maps of the data",
    }.get(source)
    if against is None:
        return f"{layer}, without ground truth"
    parts = [f"{layer}, against {against}"]
    parts += ["its first region against all others"] if truth.get("regions") == "first_and_rest" else []
    parts += [f"tolerance {truth['tolerance']} px"] if "tolerance" in truth else []
    parts += [f"{images['most']} {images.get('split', '')} images".replace("  ", " ")] if "most" in images else []
    return ", ".join(parts)


def _layer(layer: str, caption: str, found: Sequence[tuple[Run, Mapping[str, Any]]]) -> Html:
    rows = []
    variants = dict.fromkeys(run.variant for run, _ in found)
    for variant in variants:
        told = [
            _section(_section(_section(scores, "layers"), layer), "methods")
            for run, scores in found
            if run.variant == variant
        ]
        for method in dict.fromkeys(name for methods in told for name in methods):
            name = f"{variant}, {method}" if len(variants) > 1 else method
            label = element("b", name) if method == _LEARNED else name
            cells = [
                _mean((_number(_section(methods, method), each) for methods in told), _SCORE_DECIMALS)
                for each in _LAYOUT_FIGURES
            ]
            rows.append((label, cells))
    kept = [index for index in range(len(_LAYOUT_FIGURES)) if any(cells[index] != _NONE for _, cells in rows)]
    heads = ["Layout", *(_titled(_LAYOUT_FIGURES[index]) for index in kept)]
    return data_table(f"{caption}.", heads, [(name, [cells[i] for i in kept]) for name, cells in rows], layer)


def _titled(figure: str) -> str:
    kind = kind_of(figure)
    if kind is None:
        return title_of(figure) if title_of(figure) != figure else figure.replace("_", " ").capitalize()
    return f"{kind.title}{f' {ARROWS[kind.better]}' if kind.better else ''}"


def _mean(values: Iterable[float | None], most: int = 8) -> str:
    known = [value for value in values if value is not None]
    return mean_text(known, most) if known else _NONE


def _number(figures: Mapping[str, Any], name: str) -> float | None:
    value = figures.get(name)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _section(content: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = content.get(key)
    return found if isinstance(found, Mapping) else {}

"""The parts of the page that one kind of task has: inpainting by hole area, and layouts against ground truth."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lit_an.ablation.comparison import figures_of, title_of, whole_or_all
from lit_an.ablation.formatting import ARROWS, mean_text
from lit_an.ablation.markup import Html, breakable, data_table, element
from lit_an.ablation.runs import Run
from lit_an.ablation.study import Study
from lit_an.metrics.directions import kind_of

_NONE = "–"
# In the order of a table; the learned layout of each variant, then what stands beside it.
_LAYOUT_FIGURES = ("miou", "ari", "nmi", "boundary_f", "regions_in_use", "position_share")
_LEARNED = "learned"
_SCORE_DECIMALS = 3  # of layouts' scores, shares and means over images


def by_hole_area(study: Study) -> Html | None:
    """The figures of inpainting for each bin of hole area; None if no run has them."""
    found = {run.folder: _section(run.results, "by_bin") for run in study.runs}
    bins = sorted({each for bins in found.values() for each in bins})
    known = {name for bins in found.values() for figures in bins.values() for name in figures}
    shown = [figure for figure in figures_of(study) if figure in known]
    if not bins or not shown:
        return None
    tables = []
    for figure in shown:
        rows = [
            (breakable(name), [_mean(_number(each, figure) for each in columns[bin_]) for bin_ in bins])
            for name, columns in _by_bin(study, bins)
        ]
        kept = [index for index in range(len(bins)) if any(cells[index] != _NONE for _, cells in rows)]
        told = [(name, [cells[index] for index in kept]) for name, cells in rows]
        caption = f"{_titled(figure)} by the share of an image that is hole: mean ± standard deviation over seeds."
        tables.append(
            data_table(caption, ["Variant", *(f"{bins[index]} %" for index in kept)], told, f"{figure} by hole area")
        )
    counts = {each: _number(_section(found[study.runs[0].folder], each), "images") for each in bins}
    images = ", ".join(f"{each} %: {count:.0f}" for each, count in counts.items() if count is not None)
    return element(
        "section",
        element("h2", "By hole area"),
        element("p", f"Images in each bin: {images}.") if images else None,
        tables,
    )


def _by_bin(study: Study, bins: Sequence[str]) -> Iterable[tuple[str, dict[str, list[Mapping[str, Any]]]]]:
    """For each variant, and after them each filling that trains nothing, the figures of its runs in each bin."""
    for variant in study.variants:
        sources = [_section(run.results, "by_bin") for run in whole_or_all(study, variant)]
        yield variant, {each: [_section(source, each) for source in sources] for each in bins}
    # The same images and holes in every run.
    baselines = _section(study.runs[0].results, "baselines")
    for name in baselines:
        source = _section(_section(baselines, name), "by_bin")
        yield f"{name} filling", {each: [_section(source, each)] for each in bins}


def layout_truth(study: Study) -> Html | None:
    """Learned layouts against ground truth, beside what learns nothing; None if no run has scores."""
    layers = dict.fromkeys(layer for run in study.runs for layer in _section(run.layout_scores, "layers"))
    tables = []
    for layer in layers:
        runs = {
            variant: [run for run in whole_or_all(study, variant) if layer in _section(run.layout_scores, "layers")]
            for variant in study.variants
        }
        runs = {variant: found for variant, found in runs.items() if found}
        tables.append(_layer(layer, runs))
    if not tables:
        return None
    explained = (
        "How well the strongest regions of a layout fit the regions of the picture, beside layouts of as many regions: "
        "those of the same layer with initial filters, k-means of its features and of colors, blocks, chance. A layout "
        "no better than that of initial filters has not learned these regions. Mean ± standard deviation over seeds."
    )
    return element("section", element("h2", "Layouts against ground truth"), element("p", explained), tables)


def _layer(layer: str, runs: Mapping[str, Sequence[Run]]) -> Html:
    rows = []
    for variant, found in runs.items():
        told = [_section(_section(_section(run.layout_scores, "layers"), layer), "methods") for run in found]
        for method in dict.fromkeys(name for methods in told for name in methods):
            name = f"{variant}, {method}" if len(runs) > 1 else method
            label = element("b", name) if method == _LEARNED else name
            cells = [
                _mean((_number(_section(methods, method), each) for methods in told), _SCORE_DECIMALS)
                for each in _LAYOUT_FIGURES
            ]
            rows.append((label, cells))
    first = next(run for found in runs.values() for run in found).layout_scores
    truth = _section(first, "truth")
    source = _section(truth, "source").get(layer)
    against = {
        "segmenter": "a classifier of pixels that was fitted to real images",
        "region maps": "the region maps of the data",
    }.get(str(source))
    kept = [index for index in range(len(_LAYOUT_FIGURES)) if any(cells[index] != _NONE for _, cells in rows)]
    caption = f"{layer}, against {against}" if against else f"{layer}, without ground truth"
    if against and truth.get("regions") == "first_and_rest":
        caption += ", its first region against all others"
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

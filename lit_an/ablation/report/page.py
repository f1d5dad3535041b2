"""The page of a study: one HTML file that needs nothing else."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from lit_an.ablation.analysis.comparison import Column, Entry, title_of
from lit_an.ablation.analysis.study import Study
from lit_an.ablation.report.charts import Chart
from lit_an.ablation.report.embedding import Picture
from lit_an.ablation.report.formatting import ARROWS, decimals_of, fixed, interval_text, joined
from lit_an.ablation.report.markup import Html, breakable, bullets, data_address, data_table, element
from lit_an.ablation.report.page_facts import cost, layouts, provenance
from lit_an.ablation.report.page_scores import by_hole_area, layout_truth
from lit_an.ablation.report.sentences import (
    Table,
    against_baseline,
    count_note,
    doubts,
    gaps_of,
    verdict,
    what_is_compared,
)
from lit_an.ablation.report.tables import difference_text, is_best, value_text

_STYLE = Path(__file__).with_name("report.css")
# Nothing but what is in the file.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def page_of(
    study: Study,
    tables: Sequence[Table],
    charts: Mapping[str, Sequence[Chart]],
    layout_charts: Sequence[Chart],
    pictures: Mapping[str, Sequence[Picture]],
) -> str:
    """The page.

    Args:
        study: what it shows.
        tables: of the study.
        charts: by figure.
        layout_charts: of the layouts' diagnosis.
        pictures: by tag, those of the variants.
    """
    sections = [
        *(_results(study, table) for table in tables),
        _no_figures(study) if not tables else None,
        by_hole_area(study),
        _curves(charts),
        _samples(study, pictures),
        layouts(study, [_chart_element(chart) for chart in layout_charts]),
        layout_truth(study),
        cost(study),
        provenance(study),
    ]
    told = doubts(study)
    missing = (
        element("div", element("h2", "Missing, failed or not to be compared"), bullets(told), class_="missing")
        if told
        else None
    )
    complete = None if told or not study.runs else element("p", "No run is missing, and none failed.")
    body = element(
        "main", element("h1", study.name), element("p", what_is_compared(study), class_="lead"), _levels(study),
        complete, missing, bullets(study.notes), sections,
    )  # fmt: skip
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", study.name),
        element("style", Html(_STYLE.read_text(encoding="utf-8"))),
    )
    return f"<!DOCTYPE html>\n{element('html', head, element('body', body), lang='en')}\n"


def _levels(study: Study) -> Html | None:
    """Which levels the names of variants stand for, if they are of several factors."""
    factors = study.factors()
    if len(factors) < 2:
        return None
    lines = [element("li", element("b", factor), f": {', '.join(levels)}") for factor, levels in factors.items()]
    return element("div", element("p", "The names of variants are their levels, in this order:"), element("ul", lines))


def _results(study: Study, table: Table) -> Html:
    shown = [_result_table(study, table, piece) for piece in table.pieces()]
    said = [_verdict(study, column) for column in table.columns]
    gaps = gaps_of(table.columns)
    return element(
        "section",
        element("h2", f"Results at {table.title.lower()}"),
        shown,
        bullets(each for each in said if each is not None),
        element("div", element("p", "Without values:"), bullets(gaps), class_="gaps") if gaps else None,
        _all_differences(study, table),
    )


def _result_table(study: Study, table: Table, piece: range) -> Html:
    columns = [table.columns[index] for index in piece]
    heads = ["Variant", *(_head(table.columns[index], table.places[index]) for index in piece)]
    rows = [
        (
            [
                breakable(variant),
                element("small", "baseline") if variant == study.baseline and len(study.variants) > 1 else None,
            ],
            [_value(column, variant, table.most) for column in columns],
        )
        for variant in study.variants
    ]
    label = f"{table.title}: {', '.join(column.title for column in columns)}"
    return data_table(table.caption_of(piece), heads, rows, label, "results")


def _head(column: Column, place: str) -> list[Html | str | None]:
    arrow = None
    if column.better is not None:
        said = element("span", f" {column.better} is better", class_="unseen")
        arrow = element("span", "\u00a0", element("span", ARROWS[column.better], aria_hidden="true"), said)
    return [column.title, arrow, element("small", place) if place else None]


def _value(column: Column, variant: str, most: int) -> Html:
    entry: Entry = column.entries[variant]
    text, note = value_text(column, entry), count_note(entry, most)
    value = element("strong", text) if is_best(column, variant) else text
    below = difference_text(column, entry)
    return element("td", value, element("small", note) if note else None, element("small", below) if below else None)


def _verdict(study: Study, column: Column) -> Html | None:
    told, against = verdict(column), against_baseline(column, study.baseline)
    if not told:
        return None
    return element("span", element("b", column.title), f": {told}. {against}".rstrip())


def _all_differences(study: Study, table: Table) -> Html | None:
    rows = []
    for column in table.columns:
        decimals = decimals_of(column)
        for variant, entry in column.entries.items():
            difference = entry.difference
            if difference is None or difference.interval is None or difference.bootstrap is None:
                continue
            intervals = [interval_text(each, decimals) for each in (difference.interval, difference.bootstrap)]
            cells = [variant, f"{difference.seeds}", fixed(difference.mean, decimals, sign=True), *intervals]
            rows.append((column.title, cells))
    if not rows:
        return None
    caption = (
        f"Differences to {study.baseline}, paired by seed, with 95 % intervals: paired t, which takes the differences "
        "as normal, and percentile bootstrap over seeds (9,999 resamples), which is too narrow for few seeds."
    )
    heads = ("Figure", "Variant", "Paired seeds", "Difference", "Paired t", "Bootstrap")
    return element(
        "details",
        element("summary", "All differences, also with bootstrap intervals"),
        data_table(caption, heads, rows, f"{table.title}: differences to the baseline"),
    )


def _no_figures(study: Study) -> Html:
    names = sorted({name for run in study.runs for name in run.curves})
    known = f" There are: {', '.join(names[:20])}{' …' if len(names) > 20 else ''}." if names else ""
    return element(
        "section",
        element("h2", "Results"),
        element("p", f"No figure with a known direction was measured in two runs; name the figures to show.{known}"),
    )


def _curves(charts: Mapping[str, Sequence[Chart]]) -> Html | None:
    if not any(charts.values()):
        return None
    caption = (
        "Lines are means over the seeds of a variant, at the iterations at which all of them were measured; bands go "
        "from the least to the largest value. Runs that are not whole are left out where others of the variant are."
    )
    shown = [_chart_element(chart) for pair in charts.values() for chart in pair]
    once = [title_of(figure) for figure, pair in charts.items() if not pair]
    return element(
        "section",
        element("h2", "Learning curves"),
        element("p", caption),
        element("p", f"Without a curve, since measured fewer than twice: {', '.join(once)}.") if once else None,
        element("div", shown, class_="charts"),
    )


def _chart_element(chart: Chart) -> Html:
    """A chart as a figure of the page."""
    image = element("img", src=data_address(chart.svg, "image/svg+xml"), alt=chart.alt)
    return element("figure", image, class_="chart")


def _samples(study: Study, pictures: Mapping[str, Sequence[Picture]]) -> Html | None:
    if not any(pictures.values()):
        return None
    seeds = sorted({picture.seed for shown in pictures.values() for picture in shown})
    text = (
        f"The last pictures of {'seed' if len(seeds) == 1 else 'seeds'} {joined(map(str, seeds))}, which were not "
        "chosen for their looks: it is the first seed that most variants have pictures of. All variants get the same "
        "inputs (latents and classes, or images and holes). Click a picture to enlarge it, and again to go back."
    )
    return element(
        "section", element("h2", "Samples"), element("p", text), [_of_tag(t, p) for t, p in pictures.items()]
    )


def _of_tag(tag: str, shown: Iterable[Picture]) -> Html:
    figures = [
        element(
            "figure",
            element(
                "label",
                element("input", type="checkbox", aria_label=f"Enlarge {tag} of {each.variant}"),
                element("img", src=data_address(each.content, each.kind), alt=each.alt),
                class_="zoom",
            ),
            element("figcaption", element("b", each.variant), f", seed {each.seed}, iteration {each.iteration:,}"),
        )
        for each in shown
    ]
    return element("div", element("h3", _headline(tag)), element("div", figures, class_="pictures"))


def _headline(tag: str) -> str:
    if tag.startswith("layouts/"):
        return f"Layout of {tag.removeprefix('layouts/')}: image, strongest region, each region"
    return {"samples": "Generated images", "inpainting": "Inpainted images"}.get(tag, tag)

"""A study as files for other programs: CSV, Markdown and LaTeX."""

import csv
import io
import math
import re
from collections.abc import Iterable, Sequence

from lit_an.ablation.analysis.comparison import Column, Entry
from lit_an.ablation.analysis.study import Study
from lit_an.ablation.report.formatting import ARROWS, MINUS, decimals_of, fixed, interval_text
from lit_an.ablation.report.sentences import Table, count_note, doubts, gaps_of, verdict
from lit_an.files import printable

RESULTS = ("variant", "seed", "figure", "iteration", "seconds", "processor_seconds", "value")
DIFFERENCES = (
    *("compared_at", "figure", "at", "variant", "baseline", "paired_seeds", "difference"),
    *("t_low", "t_high", "bootstrap_low", "bootstrap_high"),
)
_LATEX = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "↓": r"$\downarrow$",
    "↑": r"$\uparrow$",
    "–": "--",
    "±": r"$\pm$",
    MINUS: "$-$",
}


def results_csv(study: Study) -> str:
    """All curves of all runs, a value a row; times that were not recorded are empty."""
    rows = [
        [run.variant, run.seed, figure, point.iteration, *_times(point[1:3]), repr(float(point.value))]
        for variant in study.variants
        for run in study.of(variant)
        for figure, points in run.curves.items()
        for point in points
    ]
    return _csv([RESULTS, *rows])


def differences_csv(study: Study, tables: Iterable[Table]) -> str:
    """All differences to the baseline, with both kinds of intervals; empty with fewer than 2 paired seeds."""
    rows: list[Sequence[object]] = [DIFFERENCES]
    for table in tables:
        for column in table.columns:
            for variant, entry in column.entries.items():
                difference = entry.difference
                if difference is not None:
                    ends = [*(difference.interval or ("", "")), *(difference.bootstrap or ("", ""))]
                    where = [table.title.lower(), column.figure, column.at, variant, study.baseline]
                    rows.append([*where, difference.seeds, difference.mean, *ends])
    return _csv(rows)


def markdown(study: Study, tables: Iterable[Table]) -> str:
    """What cannot be compared, then the tables, their verdicts and gaps."""
    lines = [f"# {_plain(study.name)}", ""]
    told = [f"- {_plain(sentence)}" for sentence in (*doubts(study), *study.notes)]
    lines += [*told, ""] if told else []
    for table in tables:
        heads = [_plain(head) for head in _heads(table)]
        lines += [_plain(table.caption), "", f"| | {' | '.join(heads)} |", f"|---|{'---|' * len(heads)}"]
        for variant in study.variants:
            cells = [_markdown_cell(column, variant, table.most) for column in table.columns]
            lines.append(f"| {_plain(variant)} | {' | '.join(cells)} |")
        said = [f"- {_plain(f'{column.title}: {text}.')}" for column in table.columns if (text := verdict(column))]
        lines += ["", *said, *(f"- {_plain(gap)}" for gap in gaps_of(table.columns)), ""]
    return "\n".join(lines)


def latex(study: Study, tables: Iterable[Table]) -> str:
    """The tables for LaTeX with the package booktabs."""
    lines = [r"% \usepackage{booktabs}"]
    lines += [f"% {printable(' '.join(sentence.split()))}" for sentence in (*doubts(study), *study.notes)]
    for table in tables:
        for piece in table.pieces():
            columns, heads = table.columns[piece.start : piece.stop], _heads(table)[piece.start : piece.stop]
            lines += [r"\begin{table}", r"\centering", r"\small", rf"\caption{{{tex(table.caption_of(piece))}}}"]
            lines += [rf"\begin{{tabular}}{{l{'c' * len(columns)}}}", r"\toprule"]
            lines += [_latex_row("", map(tex, heads)), r"\midrule"]
            for variant in study.variants:
                lines.append(_latex_row(tex(variant), (_latex_value(each, variant, table.most) for each in columns)))
                below = [_latex_difference(each, each.entries[variant]) for each in columns]
                lines += [_latex_row("", below)] if any(below) else []
            lines += [r"\bottomrule", r"\end{tabular}", r"\end{table}", ""]
    return "\n".join(lines)


def tex(text: str) -> str:
    """Text that LaTeX prints as it is.

    Example:
        >>> print(tex("50 % of a_b"))
        50 \\% of a\\_b
    """
    return "".join(_LATEX.get(character, character) for character in printable(text))


def value_text(column: Column, entry: Entry) -> str:
    """``mean ± deviation``, or the mean alone of one seed, or a dash."""
    if entry.spread is None:
        return "–"
    decimals = decimals_of(column)
    deviation = "" if entry.spread.deviation is None else f" ± {fixed(entry.spread.deviation, decimals)}"
    return fixed(entry.spread.mean, decimals) + deviation


def difference_text(column: Column, entry: Entry) -> str:
    """``difference [low, high]``, with a star where 0 is outside; empty for the baseline."""
    difference, decimals = entry.difference, decimals_of(column)
    if difference is None:
        return ""
    text = fixed(difference.mean, decimals, sign=True)
    if difference.interval is None:
        return text
    return f"{text} {interval_text(difference.interval, decimals)}{'*' if difference.is_clear else ''}"


def is_best(column: Column, variant: str) -> bool:
    """Whether a variant is clearly the best."""
    return column.contest is not None and column.contest.is_decided and column.contest.first == variant


def _heads(table: Table) -> list[str]:
    return [
        f"{column.title}{f' {ARROWS[column.better]}' if column.better else ''}{f' ({place})' if place else ''}"
        for column, place in zip(table.columns, table.places, strict=True)
    ]


def _markdown_cell(column: Column, variant: str, most: int) -> str:
    entry = column.entries[variant]
    value, note = value_text(column, entry), count_note(entry, most)
    value = f"**{value}**" if is_best(column, variant) else value
    below = difference_text(column, entry).replace("*", r"\*")
    return "<br>".join(filter(None, [f"{value} ({note})" if note else value, below]))


def _latex_row(name: str, cells: Iterable[str]) -> str:
    # \\ and \midrule take a bracket, and \\ a star, at the start of the next row as an argument of theirs.
    return rf"{' & '.join([f'{{}}{name}' if name[:1] in ('[', '*') else name, *cells])} \\"


def _latex_value(column: Column, variant: str, most: int) -> str:
    entry = column.entries[variant]
    value, note = _math(value_text(column, entry)), count_note(entry, most)
    value = rf"$\mathbf{{{value[1:-1]}}}$" if is_best(column, variant) else value
    return f"{value} ({note})" if note else value


def _latex_difference(column: Column, entry: Entry) -> str:
    text = difference_text(column, entry)
    return rf"{{\scriptsize {_math(text)}}}" if text else ""


def _math(text: str) -> str:
    if text == "–":
        return "--"
    return (
        f"${text.replace(MINUS, '-').replace('±', chr(92) + 'pm').replace('*', '^{*}').replace(' [', chr(92) + ',[')}$"
    )


def _plain(text: str) -> str:
    """Text on one line that Markdown shows as it is."""
    return re.sub(r"([\\`*_|<>\[\]#])", r"\\\1", printable(" ".join(text.split())))


def _times(times: Iterable[float]) -> list[str]:
    return [repr(float(time)) if math.isfinite(time) else "" for time in times]


def _csv(rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([printable(str(cell)) for cell in row] for row in rows)
    return text.getvalue()

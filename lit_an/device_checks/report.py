"""The report as Markdown."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lit_an.device_checks.parts import PARTS
from lit_an.device_checks.results import Result
from lit_an.device_checks.rows import PROBLEMS, Row


def report(results: Sequence[Result], machine: Mapping[str, Any], versions: Mapping[str, str], command: str) -> str:
    """All parts, with a summary before them.

    Args:
        results: of the parts.
        machine: facts, see ``machine_facts``.
        versions: of libraries.
        command: that makes this report.
    """
    on = machine["device"] if machine["device"] != "cpu" else "a CPU (dry run: nothing here is about GPUs)"
    lines = [f"# lit_an on {on}", "", f"    {command}", ""]
    lines += _table(("", ""), [(name, _fact(name, value)) for name, value in {**machine, **versions}.items()])
    lines += ["", "| part | rows | problems | not run | seconds |", "|---|---|---|---|---|"]
    for result in results:
        not_run = sum(row.verdict == "not run" for row in result.rows)
        whole = "" if result.is_complete else " (not whole)"
        lines.append(
            f"| {result.part}{whole} | {len(result.rows)} | {result.problems()} | {not_run} | {result.seconds:.0f} |"
        )
    lines += ["", *_problems(results)]
    for result in results:
        lines += ["", f"## {result.part}", "", PARTS[result.part].about(), ""]
        lines += _rows(result.rows)
        if result.ended:
            lines += ["", result.ended]
    return "\n".join(lines) + "\n"


def _problems(results: Sequence[Result]) -> Iterator[str]:
    found = [(result.part, row) for result in results for row in result.rows if row.verdict in PROBLEMS]
    ended = [result for result in results if result.ended]
    if not found and not ended:
        yield "No problem was found."
        return
    yield "## Problems"
    yield ""
    for part, row in found:
        yield f"- {part}: {row.subject} {row.verdict}" + (f": {row.note}" if row.note else "")
    for result in ended:
        yield f"- {result.part}: {result.ended}"


def _rows(rows: Sequence[Row]) -> list[str]:
    if not rows:
        return ["No row."]
    columns = list(dict.fromkeys(name for row in rows for name in row.figures))
    notes = [""] if any(row.note for row in rows) else []
    head = ("", "verdict", *columns, *notes)
    cells = [
        (
            row.subject,
            f"**{row.verdict}**" if row.verdict in PROBLEMS else row.verdict,
            *(_figure(row.figures.get(name, "")) for name in columns),
            *([row.note] if notes else []),
        )
        for row in rows
    ]
    return _table(head, cells)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    escaped = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *escaped)]


def _figure(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.3g}"


def _fact(name: str, value: Any) -> str:
    return f"{value / 1e9:.1f} GB" if name == "memory" else str(value)

"""Rows of ``metrics.csv`` that nobody can read as they were meant."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from lit_an.errors import InputError
from lit_an.files import printable
from lit_an.run_report.reading import TABLE


def check_rows(folder: Path, rows: Sequence[Mapping[str, str]]) -> None:
    """Raises if values of a row cannot be told to belong to a column.

    Args:
        folder: of the run.
        rows: see ``rows_of``.

    Raises:
        InputError: a row has more values than the head has columns.
    """
    for row in rows:
        if None in row:  # where csv.DictReader keeps what is beyond the head
            raise InputError(
                f"{printable(folder / TABLE)}: a row of step {row.get('step') or '?'} has more values than the first "
                "line has columns; remove that row or repair it"
            )

"""The metrics of a run as one CSV file that survives a kill and a resume."""

import csv
import io
from argparse import Namespace
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.utilities.rank_zero import rank_zero_info, rank_zero_only

from lit_an.files import replacing


class MetricsCSV(Logger):
    """Writes ``<folder>/metrics.csv``: a row each time something is logged, a column for each name and ``step``.

    ``step`` counts generator iterations; a newer value at the same iteration replaces the older one.
    Lightning's own CSV logger deletes the rows of a run that is resumed and rewrites the file in place; this one
    appends, and rewrites the file atomically when a column is added or a value replaced.

    Args:
        folder: the run folder.
    """

    def __init__(self, folder: str) -> None:
        super().__init__()
        self.path = Path(folder, "metrics.csv")
        self._columns: list[str] = []
        self._newest: dict[str, float] = {}  # the last iteration of each figure

    @property
    def name(self) -> str:
        return ""

    @property
    def version(self) -> str:
        return ""

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Does nothing: the run folder holds the config."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        row = {"step": step, **metrics}
        if not self._columns and self.path.exists():
            self._go_on()
        new = [name for name in row if name not in self._columns]
        again = {name for name in metrics if step is not None and step <= self._newest.get(name, -1)}
        self._columns += new
        if new or again:
            rows = self._read() if self.path.exists() else []
            self._rewrite([kept for each in rows for kept in _without(each, again, step)])
        self._note(row)
        with self.path.open("a", newline="") as file:
            csv.DictWriter(file, self._columns).writerow(row)

    def _go_on(self) -> None:
        """Reads what an earlier process wrote; drops a row that a kill cut short."""
        rows = self._read()
        if not self.path.read_text().endswith("\n"):
            self._rewrite(rows)
        for row in rows:
            self._note(row)

    @rank_zero_only
    def drop_after(self, iteration: int) -> None:
        """Removes the rows after an iteration, which a run resumed from there writes again."""
        rows = self._read() if self.path.exists() else []
        kept = [row for row in rows if _step(row) <= iteration]
        if len(kept) < len(rows):
            self._rewrite(kept)
            rank_zero_info(f"{self.path}: {len(rows) - len(kept)} rows beyond iteration {iteration} are dropped")
        self._newest = {}
        for row in kept:
            self._note(row)

    def _note(self, row: dict[str, Any]) -> None:
        for name, value in row.items():
            if name != "step" and value not in ("", None):
                self._newest[name] = max(self._newest.get(name, -1), _step(row))

    def _read(self) -> list[dict[str, str]]:
        """Reads the complete rows, and adds new columns to the known ones."""
        text = self.path.read_text()
        reader = csv.DictReader(io.StringIO(text[: text.rfind("\n") + 1]))
        rows = list(reader)
        self._columns += [name for name in reader.fieldnames or [] if name not in self._columns]
        return rows

    def _rewrite(self, rows: list[dict[str, str]]) -> None:
        with replacing(self.path) as temporary, temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, self._columns)
            writer.writeheader()
            writer.writerows(rows)


def _step(row: dict[str, Any]) -> float:
    """The iteration of a row, -1 for a row without one, which is kept."""
    return float(row["step"]) if row["step"] not in ("", None) else -1.0


def _without(row: dict[str, str], names: set[str], step: int | None) -> list[dict[str, str]]:
    """A row without some of its values, if it is of that iteration; none if nothing is left of it."""
    if not names or _step(row) != step:
        return [row]
    left = {name: "" if name in names else value for name, value in row.items()}
    return [left] if any(value for name, value in left.items() if name != "step") else []

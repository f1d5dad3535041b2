"""The metrics of a run as one CSV file that survives a kill and a resume."""

import csv
from argparse import Namespace
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from lit_an.files import replacing


class MetricsCSV(Logger):
    """Writes ``<folder>/metrics.csv``: a row each time something is logged, a column for each name and ``step``.

    ``step`` counts generator iterations. Lightning's own CSV logger deletes the rows of a run that is resumed and
    rewrites the file in place; this one appends, and replaces the file whole when a new column appears.

    Args:
        folder: the run folder.
    """

    def __init__(self, folder: str) -> None:
        super().__init__()
        self.path = Path(folder, "metrics.csv")
        self._columns: list[str] = []

    @property
    def name(self) -> str:
        return ""

    @property
    def version(self) -> str:
        return ""

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Nothing: the run folder has the whole config."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        row = {"step": step, **metrics}
        if not self._columns and self.path.exists():
            self._columns = list(self._read()[0])
        new = [name for name in row if name not in self._columns]
        if new:
            self._columns += new
            self._rewrite(self._read()[1] if self.path.exists() else [])
        with self.path.open("a", newline="") as file:
            csv.DictWriter(file, self._columns).writerow(row)

    def _read(self) -> tuple[list[str], list[dict[str, str]]]:
        with self.path.open(newline="") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
            return list(reader.fieldnames or []), rows

    def _rewrite(self, rows: list[dict[str, str]]) -> None:
        with replacing(self.path) as temporary, temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, self._columns)
            writer.writeheader()
            writer.writerows(rows)

"""The metrics of a run as one CSV file that survives a kill and a resume."""

import csv
import io
import os
from argparse import Namespace
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.utilities.rank_zero import rank_zero_info, rank_zero_only, rank_zero_warn

from lit_an.files import replacing
from lit_an.files.locks import locked


class MetricsCSV(Logger):
    """Writes ``<folder>/metrics.csv``: a row each time something is logged, a column for each name and ``step``.

    ``step`` counts generator iterations; a newer value at the same iteration replaces the older one.
    Lightning's own CSV logger deletes the rows of a run that is resumed and rewrites the file in place; this one
    appends, and rewrites the file atomically when a column is added or a value replaced. Another process may write to
    the same file: ``validate`` and ``test`` beside a training.

    Rows that cannot be written, for example because the disk is full, are kept and written later, with one warning. A
    file that disappears is begun again, with a warning of what is lost.

    Args:
        folder: the run folder.
    """

    def __init__(self, folder: str) -> None:
        super().__init__()
        self.path = Path(folder, "metrics.csv")
        self._columns: list[str] = []
        self._newest: dict[str, float] = {}  # the last iteration of each figure
        self._waiting: list[dict[str, Any]] = []  # rows to write
        self._is_torn = False  # the last row may have been written in part
        self._left: tuple[int, int] | None = None  # the file and its size after the last row
        self._has_failed = False

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
        self._waiting.append({"step": step, **metrics})
        self._write_waiting()

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Says which rows are lost, if they could not be written to the end."""
        self._write_waiting()
        if self._waiting:
            first, last = (f"{_step(row):.0f}" for row in (self._waiting[0], self._waiting[-1]))
            rank_zero_warn(
                f"{self.path}: {len(self._waiting)} rows of the iterations {first} to {last} could not be written and "
                "are lost",
                category=UserWarning,
            )

    @rank_zero_only
    def has_validated(self, iteration: int) -> bool:
        """Whether the file holds the figures of a validation at an iteration."""
        rows = self._read() if self.path.exists() else []
        return any(
            _step(row) == iteration and any(name.startswith("val/") and value for name, value in row.items())
            for row in rows
        )

    def _write_waiting(self) -> None:
        try:
            while self._waiting:
                with locked(self.path):
                    self._write(self._waiting[0])
                del self._waiting[0]
        except OSError as error:
            if not self._has_failed:
                rank_zero_warn(
                    f"{self.path} cannot be written ({error.strerror or error}): the run goes on, and writes these "
                    "rows as soon as it can",
                    category=UserWarning,
                )
            self._has_failed = True
        else:
            self._has_failed = False

    def _write(self, row: dict[str, Any]) -> None:
        if self._columns and not self.path.exists():
            rank_zero_warn(
                f"{self.path} has disappeared, and with it what it held up to iteration "
                f"{max(self._newest.values(), default=0):.0f}; it is begun again",
                category=UserWarning,
            )
            self._columns, self._newest = [], {}
        if self.path.exists() and (self._is_torn or not self._newest or self._left != _state_of(self.path)):
            self._go_on()
        step = row["step"]
        new = [name for name in row if name not in self._columns]
        again = {name for name in row if name != "step" and step is not None and step <= self._newest.get(name, -1)}
        if new or again:
            rows = self._read() if self.path.exists() else []
            self._rewrite([kept for each in rows for kept in _without(each, again, step)], [*self._columns, *new])
        self._is_torn = True
        # Without O_CREAT: a file that has just disappeared must not come back without its header.
        with open(self.path, "a", encoding="utf-8", newline="", opener=_open_existing) as file:
            csv.DictWriter(file, self._columns).writerow(row)
        self._is_torn = False
        self._left = _state_of(self.path)
        self._note(row)

    def _go_on(self) -> None:
        """Reads what was written earlier or by others; drops a row that a kill or a full disk cut short."""
        rows = self._read()
        if not self.path.read_text(encoding="utf-8").endswith("\n"):
            self._rewrite(rows, self._columns)
        self._is_torn = False
        for row in rows:
            self._note(row)

    @rank_zero_only
    def drop_after(self, iteration: int) -> None:
        """Removes the rows after an iteration, which a run resumed from there writes again."""
        with locked(self.path):
            rows = self._read() if self.path.exists() else []
            kept = [row for row in rows if _step(row) <= iteration]
            if len(kept) < len(rows):
                self._rewrite(kept, self._columns)
        if len(kept) < len(rows):
            rank_zero_info(f"{self.path}: {len(rows) - len(kept)} rows beyond iteration {iteration} are dropped")
        self._newest = {}
        for row in kept:
            self._note(row)

    def _note(self, row: dict[str, Any]) -> None:
        for name, value in row.items():
            if name != "step" and value not in ("", None):
                self._newest[name] = max(self._newest.get(name, -1), _step(row))

    def _read(self) -> list[dict[str, str]]:
        """Reads the complete rows and the columns, which others may have added to."""
        text = self.path.read_text(encoding="utf-8")
        reader = csv.DictReader(io.StringIO(text[: text.rfind("\n") + 1]))
        rows = list(reader)
        self._columns = list(reader.fieldnames or [])
        return rows

    def _rewrite(self, rows: list[dict[str, str]], columns: list[str]) -> None:
        with replacing(self.path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
        self._columns = columns


def _open_existing(path: str, flags: int) -> int:
    return os.open(path, flags & ~os.O_CREAT)


def _state_of(path: Path) -> tuple[int, int]:
    """Which file is there, and how long it is: so one sees that another process has written to it."""
    found = path.stat()
    return found.st_ino, found.st_size


def _step(row: dict[str, Any]) -> float:
    """The iteration of a row, -1 for a row without one, which is kept."""
    return float(row["step"]) if row["step"] not in ("", None) else -1.0


def _without(row: dict[str, str], names: set[str], step: int | None) -> list[dict[str, str]]:
    """A row without some of its values, if it is of that iteration; none if nothing is left of it."""
    if not names or _step(row) != step:
        return [row]
    left = {name: "" if name in names else value for name, value in row.items()}
    return [left] if any(value for name, value in left.items() if name != "step") else []

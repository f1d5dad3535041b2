"""What a part found, as a file that a later call goes on from."""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lit_an.device_checks.rows import PROBLEMS, Row
from lit_an.files import replacing


@dataclass
class Result:
    """The rows of a part, and how it ended.

    Args:
        part: its name.
        rows: so far.
        is_complete: whether it went through all of its rows.
        ended: how its process ended if it did not, in words.
        seconds: that it took.
        key: of the code, versions and device that it was computed with.
    """

    part: str
    rows: list[Row] = field(default_factory=list)
    is_complete: bool = False
    ended: str = ""
    seconds: float = 0.0
    key: dict[str, Any] = field(default_factory=dict)

    def problems(self) -> int:
        """Rows that differ or failed, and 1 if the part itself did."""
        return sum(row.verdict in PROBLEMS for row in self.rows) + bool(self.ended and not self.is_complete)

    def write(self, file: Path) -> None:
        """Replaces the file."""
        with replacing(file) as temporary:
            temporary.write_text(json.dumps(dataclasses.asdict(self), indent=1), encoding="utf-8")

    @classmethod
    def read(cls, file: Path) -> "Result | None":
        """What the file has; None without a file, or if it is no such file."""
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
            rows = [Row(**row) for row in found.pop("rows")]
            return cls(rows=rows, **found)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None

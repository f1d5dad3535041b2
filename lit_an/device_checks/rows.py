"""What a part of the report gives, and what it needs to know."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch

Verdict = Literal["ok", "differs", "failed", "measured", "not run"]
PROBLEMS: tuple[Verdict, ...] = ("differs", "failed")


@dataclass(frozen=True)
class Row:
    """A line of a part's table.

    Args:
        subject: what was computed, run or measured.
        verdict: ``differs`` and ``failed`` make the command fail; ``measured`` is a figure that nothing is asked of.
        figures: by column; a string is written as it is.
        note: a sentence, such as the error or why it was not run.
    """

    subject: str
    verdict: Verdict
    figures: dict[str, float | str] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class Setting:
    """Where and how a part runs.

    Args:
        device: ``cuda``, ``cuda:1``, or ``cpu`` in a dry run.
        dry_run: tiny shapes and few repeats, to see that a part runs at all.
        folder: an empty folder for its files.
    """

    device: str
    dry_run: bool
    folder: Path

    @property
    def torch_device(self) -> torch.device:
        """The device as an object of torch."""
        return torch.device(self.device)


def error_in_words(error: BaseException) -> str:
    """The kind of an error and the first 300 characters of its text, on one line.

    Example:
        >>> error_in_words(ValueError("not\\n  good"))
        'ValueError: not good'
    """
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}".removesuffix(": ")

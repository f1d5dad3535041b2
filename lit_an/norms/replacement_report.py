"""What a replacement of norms did, as rows and as a table."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ReplacedNorm:
    """A norm that was replaced.

    Args:
        name: of the module; of one that is used in several places, all names, joined by ``=``.
        former: name of the former class.
        present: name of the class that took its place.
        channels: C.
        carried: what the new norm has from the former one.
        lost: what the former norm had and the new one has no place for.
    """

    name: str
    former: str
    present: str
    channels: int
    carried: tuple[str, ...]
    lost: tuple[str, ...]


@dataclass(frozen=True)
class KeptNorm:
    """A norm that was left as it was.

    Args:
        name: as in ``ReplacedNorm``.
        kind: name of its class.
        channels: C, or None where unknown.
        reason: why it was left alone.
    """

    name: str
    kind: str
    channels: int | None
    reason: str


@dataclass(frozen=True)
class NormReplacement:
    """What ``replace_norms`` did; ``print`` shows it as a table.

    Args:
        replaced: one row per norm that was replaced, in the order of ``named_modules``.
        kept: the other norms of the network.
        notes: what else to know, a sentence each.
    """

    replaced: tuple[ReplacedNorm, ...]
    kept: tuple[KeptNorm, ...]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        head = ("name", "from", "to", "channels", "carried over", "not carried over")
        rows = [
            (row.name, row.former, row.present, str(row.channels), ", ".join(row.carried), ", ".join(row.lost))
            for row in self.replaced
        ]
        text = f"{len(rows)} replaced\n{_table([head, *rows])}"
        if self.kept:
            left = [
                (row.name, row.kind, "–" if row.channels is None else str(row.channels), row.reason)
                for row in self.kept
            ]
            text += f"\n{len(left)} left alone\n{_table([('name', 'norm', 'channels', 'because'), *left])}"
        return "\n".join([text, *(f"note: {note}" for note in self.notes)])


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    """Rows with columns of equal width."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(f"  {line.rstrip()}" for line in lines)

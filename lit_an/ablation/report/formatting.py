"""Numbers and times as a report writes them."""

import math
import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone

from lit_an.ablation.analysis.comparison import Column
from lit_an.ablation.analysis.statistics import Interval, spread_of

MINUS = "\u2212"
ARROWS = {"higher": "↑", "lower": "↓"}
_MOST_DECIMALS = 8


def decimals_of(column: Column) -> int:
    """Decimals of a column: two digits of its usual deviation or interval; without those, four of its largest mean."""
    spreads = [entry.spread for entry in column.entries.values() if entry.spread is not None]
    intervals = [e.difference.interval for e in column.entries.values() if e.difference and e.difference.interval]
    usual = [
        _middle([each.deviation for each in spreads if each.deviation]),
        _middle([(each.high - each.low) / 2 for each in intervals]),
    ]
    known = [each for each in usual if each > 0]
    largest = max((abs(each.mean) for each in spreads), default=0.0)
    wanted = 1 - _exponent(min(known)) if known else 3 - _exponent(largest or 1.0)
    return min(max(0, wanted), _MOST_DECIMALS)


def fixed(value: float, decimals: int, sign: bool = False) -> str:
    """A number with so many decimals and a true minus sign.

    Example:
        >>> fixed(-1.25, 1), fixed(0.5, 2, sign=True), fixed(-0.001, 1)
        ('\u22121.2', '+0.50', '0.0')
    """
    text = f"{abs(value):.{decimals}f}"
    if float(text) == 0:
        return text
    return (MINUS if value < 0 else "+" if sign else "") + text


def interval_text(interval: Interval, decimals: int) -> str:
    """``[low, high]``."""
    return f"[{fixed(interval.low, decimals)}, {fixed(interval.high, decimals)}]"


def count_text(value: float) -> str:
    """A count with three digits and a prefix.

    Example:
        >>> count_text(950), count_text(1_234_567), count_text(2.5e9)
        ('950', '1.23 M', '2.50 G')
    """
    for size, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{_three_digits(value / size)} {prefix}"
    return f"{value:.0f}"


def memory_text(value: float) -> str:
    """Bytes in MiB or GiB.

    Example:
        >>> memory_text(512 * 2**20), memory_text(3 * 2**30)
        ('512 MiB', '3.00 GiB')
    """
    return f"{_three_digits(value / 2**30)} GiB" if value >= 2**30 else f"{_three_digits(value / 2**20)} MiB"


def time_text(seconds: float) -> str:
    """A time in its two largest units.

    Example:
        >>> time_text(4.26), time_text(75), time_text(7380), time_text(100_000)
        ('4.3 s', '1 min 15 s', '2 h 3 min', '1 d 4 h')
    """
    if round(seconds) < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    for size, name, small, part in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        rounded = round(seconds / small) * small
        if rounded >= size:
            whole, rest = divmod(rounded, size)
            return f"{whole:.0f} {name} {rest / small:.0f} {part}"
    raise AssertionError(seconds)


def mean_text(values: Sequence[float], most: int = _MOST_DECIMALS) -> str:
    """Mean ± deviation, with two digits of the deviation, or three of a mean without one.

    Args:
        values: of the seeds.
        most: decimals, for figures whose small differences say nothing.

    Example:
        >>> mean_text([2.0, 2.5, 3.0]), mean_text([0.01234]), mean_text([4.0, 4.0])
        ('2.50 ± 0.50', '0.0123', '4.00 ± 0.00')
        >>> mean_text([1e-7, 3e-7], most=3)
        '0.000 ± 0.000'
    """
    spread = spread_of(values)
    scale = _exponent(spread.deviation) + 1 if spread.deviation else _exponent(abs(spread.mean) or 1.0)
    decimals = min(max(0, 2 - scale), most)
    return fixed(spread.mean, decimals) + (
        "" if spread.deviation is None else f" ± {fixed(spread.deviation, decimals)}"
    )


def joined(words: Iterable[str]) -> str:
    """A list in a sentence.

    Example:
        >>> joined(["a", "b", "c"]), joined(["a"]), joined(["a, 4", "b, 8"])
        ('a, b and c', 'a', 'a, 4; b, 8')
    """
    *first, last = words
    if any(", " in word for word in (*first, last)):  # names of several factors
        return "; ".join((*first, last))
    return f"{', '.join(first)} and {last}" if first else last


def counted(number: int, noun: str) -> str:
    """A number with its noun.

    Example:
        >>> counted(1, "seed"), counted(3, "seed")
        ('1 seed', '3 seeds')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def date_text(told: str) -> str:
    """A time in ISO 8601 to the minute, in UTC if it says its zone; other texts as they are.

    Example:
        >>> date_text("2026-01-02T10:00:59+0200"), date_text("2026-01-02T10:00:59"), date_text("noon")
        ('2026-01-02 08:00Z', '2026-01-02 10:00', 'noon')
    """
    try:
        time = datetime.fromisoformat(re.sub(r"([+-]\d\d)(\d\d)$", r"\1:\2", told))  # Python 3.10 wants the colon
    except ValueError:
        return told
    return f"{time:%Y-%m-%d %H:%M}" if time.tzinfo is None else f"{time.astimezone(timezone.utc):%Y-%m-%d %H:%M}Z"


def _middle(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2] if values else 0.0


def _exponent(value: float) -> int:
    return math.floor(math.log10(value))


def _three_digits(value: float) -> str:
    return f"{value:.{max(0, 2 - _exponent(value))}f}" if value else "0"

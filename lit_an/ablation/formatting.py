"""Numbers and times as a report writes them."""

import math
from collections.abc import Iterable

from lit_an.ablation.comparison import Column
from lit_an.ablation.statistics import Interval

MINUS = "\u2212"
ARROWS = {"higher": "↑", "lower": "↓"}
_MOST_DECIMALS = 8


def decimals_of(column: Column) -> int:
    """Decimals of a column: four digits of its largest mean, two of its usual deviation."""
    spreads = [entry.spread for entry in column.entries.values() if entry.spread is not None]
    deviations = sorted(each.deviation for each in spreads if each.deviation)
    largest = max((abs(each.mean) for each in spreads), default=0.0)
    wanted = [3 - _exponent(largest)] if largest else [2]
    if deviations:
        wanted.append(1 - _exponent(deviations[len(deviations) // 2]))
    return min(max(0, *wanted), _MOST_DECIMALS)


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


def joined(words: Iterable[str]) -> str:
    """A list in a sentence.

    Example:
        >>> joined(["a", "b", "c"]), joined(["a"])
        ('a, b and c', 'a')
    """
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def counted(number: int, noun: str) -> str:
    """A number with its noun.

    Example:
        >>> counted(1, "seed"), counted(3, "seed")
        ('1 seed', '3 seeds')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _exponent(value: float) -> int:
    return math.floor(math.log10(value))


def _three_digits(value: float) -> str:
    return f"{value:.{max(0, 2 - _exponent(value))}f}" if value else "0"

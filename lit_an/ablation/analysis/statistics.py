"""Means over seeds, differences paired by seed with their intervals, and which variant is best.

Needs scipy, of the extra ``ablation``.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from scipy import stats

from lit_an.metrics.directions import Better

CONFIDENCE = 0.95
RESAMPLES = 9999

BySeed = Mapping[int, float]


class Spread(NamedTuple):
    """Values of a variant over its seeds.

    Attributes:
        mean: of them.
        deviation: sample standard deviation, with n - 1; None of fewer than 2.
        seeds: their number, ≥ 1.
    """

    mean: float
    deviation: float | None
    seeds: int


class Interval(NamedTuple):
    """A confidence interval of 95 %."""

    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether 0 lies outside."""
        return self.low > 0 or self.high < 0


class Difference(NamedTuple):
    """Mean over seeds of a variant minus another one of the same seed.

    Attributes:
        mean: of the differences.
        seeds: number of those that both have, ≥ 1.
        interval: paired t; None of fewer than 2 seeds.
        bootstrap: percentile bootstrap over seeds, 9999 resamples, seeded; None of fewer than 2 seeds. Of few seeds it
            is too narrow.
    """

    mean: float
    seeds: int
    interval: Interval | None
    bootstrap: Interval | None

    @property
    def is_clear(self) -> bool:
        """Whether there is a paired t interval, and 0 lies outside."""
        return self.interval is not None and self.interval.excludes_zero


class Contest(NamedTuple):
    """The best variant of a figure, and the one after it.

    Attributes:
        first, second: names of variants, by their means.
        difference: first minus second, over the seeds that they share; None if they share none.
        better: which way.
    """

    first: str
    second: str
    difference: Difference | None
    better: Better

    @property
    def is_decided(self) -> bool:
        """Whether the interval of the difference lies on the first one's side of 0."""
        return self._is_clear and not self.is_reversed

    @property
    def is_reversed(self) -> bool:
        """Whether that interval lies on the second one's side: the first owes its mean to seeds the second lacks."""
        return self._is_clear and (self.difference.mean > 0) != (self.better == "higher")  # type: ignore[union-attr]

    @property
    def _is_clear(self) -> bool:
        return self.difference is not None and self.difference.is_clear


def spread_of(values: Iterable[float]) -> Spread:
    """Mean and standard deviation of at least one value.

    Example:
        >>> spread_of([1.0, 2.0, 3.0])
        Spread(mean=2.0, deviation=1.0, seeds=3)
    """
    array = np.fromiter(values, np.float64)
    assert len(array)
    return Spread(float(array.mean()), float(array.std(ddof=1)) if len(array) > 1 else None, len(array))


def difference_of(values: BySeed, others: BySeed) -> Difference | None:
    """Difference paired by seed: ``values`` minus ``others``; None if no seed has both.

    The paired t interval takes the differences as normal. With n seeds it is mean ± t(0.975, n - 1) · s / √n.

    Args:
        values, others: by seed.

    Example:
        >>> difference = difference_of({0: 3.0, 1: 5.0, 2: 4.0}, {0: 2.0, 1: 2.0, 2: 2.0})
        >>> difference.mean, [round(end, 3) for end in difference.interval]
        (2.0, [-0.484, 4.484])
    """
    seeds = sorted(values.keys() & others.keys())
    if not seeds:
        return None
    pairs = np.array([values[seed] - others[seed] for seed in seeds])
    mean, count = float(pairs.mean()), len(pairs)
    if count < 2:
        return Difference(mean, count, None, None)
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, count - 1) * pairs.std(ddof=1) / np.sqrt(count))
    # Written out, since scipy's own changed the name of its argument for the random numbers.
    drawn = np.random.default_rng(0).integers(0, count, (RESAMPLES, count))
    low, high = np.quantile(pairs[drawn].mean(1), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Difference(mean, count, Interval(mean - reach, mean + reach), Interval(float(low), float(high)))


def contest_of(values: Mapping[str, BySeed], better: Better | None) -> Contest | None:
    """The best and the second best variant by their means; None of fewer than two, or without a direction.

    Args:
        values: by variant and seed; a variant without values takes no part.
        better: which way.
    """
    means = {name: spread_of(found.values()).mean for name, found in values.items() if found}
    if better is None or len(means) < 2:
        return None
    first, second, *_ = sorted(means, key=lambda name: means[name], reverse=better == "higher")
    return Contest(first, second, difference_of(values[first], values[second]), better)

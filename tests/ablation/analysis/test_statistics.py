"""Statistics against scipy's own and by hand."""

import math

import numpy as np
import pytest

stats = pytest.importorskip("scipy.stats", reason="the extra 'ablation' is not installed")

from lit_an.ablation.analysis.statistics import contest_of, difference_of, spread_of  # noqa: E402


def test_mean_and_deviation_by_hand() -> None:
    assert spread_of([2.0, 4.0, 9.0]) == pytest.approx((5.0, math.sqrt((9 + 1 + 16) / 2), 3))
    assert spread_of([2.5]) == (2.5, None, 1)


@pytest.mark.parametrize("count", [2, 3, 5, 20])
def test_the_interval_is_that_of_a_paired_t_test(count: int) -> None:
    random = np.random.default_rng(count)
    one, other = random.normal(1, 2, count), random.normal(0, 1, count)
    difference = difference_of(dict(enumerate(one)), dict(enumerate(other)))
    assert difference is not None
    expected = stats.ttest_rel(one, other).confidence_interval(0.95)
    assert difference.interval == pytest.approx((expected.low, expected.high))
    assert difference.mean == pytest.approx((one - other).mean())
    assert difference.is_clear == (stats.ttest_rel(one, other).pvalue < 0.05)


def test_the_interval_of_two_seeds_by_hand() -> None:
    difference = difference_of({0: 1.0, 1: 3.0}, {0: 0.0, 1: 0.0})
    assert difference is not None
    # t(0.975, 1) = 12.706, s / √2 = 1
    assert difference.interval == pytest.approx((2 - 12.706, 2 + 12.706), abs=1e-3)
    assert difference.bootstrap == (1.0, 3.0), "the means of two drawn pairs are 1, 2 and 3, each often"


def test_the_bootstrap_is_the_percentile_bootstrap() -> None:
    random = np.random.default_rng(0)
    one, other = random.normal(1, 2, 12), random.normal(0, 1, 12)
    difference = difference_of(dict(enumerate(one)), dict(enumerate(other)))
    assert difference is not None
    expected = stats.bootstrap((one - other,), np.mean, n_resamples=20_000, method="percentile").confidence_interval
    assert difference.bootstrap == pytest.approx((expected.low, expected.high), abs=0.05)
    assert difference_of(dict(enumerate(one)), dict(enumerate(other))) == difference, "it is seeded"


def test_only_shared_seeds_are_paired() -> None:
    difference = difference_of({0: 1.0, 1: 5.0, 2: 7.0}, {1: 4.0, 2: 5.0, 3: 100.0})
    assert difference is not None
    assert (difference.seeds, difference.mean) == (2, 1.5)
    assert difference_of({0: 1.0}, {1: 1.0}) is None
    assert difference_of({0: 3.0, 1: 1.0}, {0: 1.0}) == (2.0, 1, None, None)


def test_equal_runs_are_not_told_apart() -> None:
    difference = difference_of({0: 1.0, 1: 2.0}, {0: 1.0, 1: 2.0})
    assert difference is not None
    assert difference.interval == (0, 0)
    assert not difference.is_clear


def test_the_best_is_decided_where_the_interval_excludes_zero() -> None:
    values = {"a": {0: 1.0, 1: 2.0, 2: 3.0}, "b": {0: 2.0, 1: 3.1, 2: 4.0}, "c": {0: 9.0, 1: 9.0, 2: 1.0}, "d": {}}
    contest = contest_of(values, "lower")
    assert contest is not None
    assert (contest.first, contest.second, contest.is_decided) == ("a", "b", True)
    contest = contest_of(values, "higher")
    assert contest is not None
    assert (contest.first, contest.second, contest.is_decided) == ("c", "b", False)
    assert contest_of(values, None) is None
    assert contest_of({"a": {0: 1.0}, "d": {}}, "lower") is None
    alone = contest_of({"a": {0: 1.0}, "b": {0: 2.0}}, "lower")
    assert alone is not None
    assert not alone.is_decided, "one seed decides nothing"


def test_a_best_mean_that_only_other_seeds_give_is_not_the_best() -> None:
    contest = contest_of({"a": {0: 5.0, 1: 5.1, 2: -9.0}, "b": {0: 4.0, 1: 4.11}}, "lower")
    assert contest is not None
    assert (contest.first, contest.is_decided, contest.is_reversed) == ("a", False, True)

"""Variants side by side: at which iteration and time, with which values, and why there are none."""

import math

import pytest

pytest.importorskip("scipy", reason="the extra 'ablation' is not installed")

from lit_an.ablation.analysis.comparison import (
    at_equal_iterations,
    at_equal_time,
    clock_of,
    figures_of,
    length_of,
    whole_runs,
)
from lit_an.ablation.analysis.runs import Point, Run
from lit_an.ablation.analysis.study import Study
from tests.ablation.small_studies import small_run, small_study


def study(*runs: Run, figure: str = "fid", **more: object) -> Study:
    return Study("s", runs, **{"baseline": runs[0].variant, "figures": (figure,), **more})  # type: ignore[arg-type]


def test_values_at_the_last_shared_iteration() -> None:
    (column,) = at_equal_iterations(
        study(
            small_run("a", 0, {"fid": [(100, 9.0), (200, 5.0)]}),
            small_run("b", 0, {"fid": [(100, 8.0), (200, 6.0), (300, 1.0)]}),
        )
    )
    assert (column.title, column.better, column.at) == ("FID", "lower", 200)
    assert {name: dict(entry.by_seed) for name, entry in column.entries.items()} == {"a": {0: 5.0}, "b": {0: 6.0}}
    assert column.entries["a"].difference is None
    assert column.entries["b"].difference is not None
    assert column.entries["b"].difference.mean == 1.0


def test_one_run_that_stopped_early_does_not_move_the_comparison() -> None:
    runs = [small_run(name, seed, {"fid": [(100, 9.0), (200, 5.0)]}) for name in "abc" for seed in (0, 1)]
    early = [small_run("c", 2, {"fid": [(100, 9.0)]}), small_run("d", 0, {"fid": [(100, 7.0)]})]
    told = study(*runs, *early)
    (column,) = at_equal_iterations(told)
    assert column.at == 200
    assert column.entries["c"].gaps == ("seed 2: not measured at iteration 200, last at 100",)
    assert column.entries["d"].spread is None
    assert length_of(told) == 200
    assert [run for run in told.runs if run not in whole_runs(told)] == early


def test_a_figure_that_only_some_variants_have_is_compared_among_them() -> None:
    name = "layout/long_range/miou"
    (column,) = at_equal_iterations(
        study(small_run("a", 0, {name: [(50, 0.5)]}), small_run("b", 0, {"fid": [(100, 1.0)]}), figure=name)
    )
    assert column.at == 50
    assert column.entries["b"].gaps == ("seed 0: not measured",)


def test_at_equal_time_values_lie_on_the_lines_between_measurements() -> None:
    fast = small_run("fast", 0, {"fid": [(100, 10.0, 9.0), (200, 20.0, 5.0)]})
    slow = small_run("slow", 0, {"fid": [(100, 16.0, 8.0), (200, 32.0, 4.0)]})
    (column,) = at_equal_time(study(fast, slow))
    assert column.at == 20.0
    assert column.entries["fast"].by_seed == {0: 5.0}
    assert column.entries["slow"].by_seed == {0: pytest.approx(8.0 - 4.0 * (20 - 16) / 16)}


def test_at_equal_time_a_run_without_a_measurement_before_is_blank_with_the_reason() -> None:
    fast = small_run("fast", 0, {"fid": [(100, 10.0, 9.0), (200, 20.0, 5.0)]})
    slow = small_run("slow", 0, {"fid": [(200, 32.0, 4.0)]})
    untimed = small_run("untimed", 0, {"fid": [(200, 4.0)]})
    (column,) = at_equal_time(study(fast, slow, untimed))
    assert column.entries["slow"].gaps == ("seed 0: first measured after 32 s",)
    assert column.entries["untimed"].gaps == ("seed 0: no times recorded",)
    assert column.entries["slow"].spread is None


def test_a_run_that_stopped_early_does_not_shorten_the_time() -> None:
    runs = [small_run(name, 0, {"fid": [(100, 10.0, 9.0), (200, 20.0, 5.0)]}) for name in "ab"]
    early = small_run("a", 1, {"fid": [(100, 10.0, 9.0)]})
    (column,) = at_equal_time(study(*runs, early))
    assert column.at == 20.0
    assert column.entries["a"].gaps == ("seed 1: last measured after 10 s",)


def test_a_whole_run_that_was_measured_early_alone_does_not_shorten_the_time() -> None:
    points = [(at, at * 1.0, 100 - at / 20) for at in (250, 500, 750, 1000)]
    runs = [small_run("fast", 0, {"fid": points}), small_run("fast", 1, {"fid": points[:1], "train/x": points})]
    slow = small_run("slow", 0, {"fid": [(at, 2 * time, value) for at, time, value in points]})
    (column,) = at_equal_time(study(*runs, slow))
    assert column.at == 1000.0
    assert column.entries["slow"].by_seed == {0: 75.0}


@pytest.mark.parametrize(
    ("devices", "expected"),
    [
        ((), "processor_seconds"),
        (("cpu",), "processor_seconds"),
        (("cpu", "NVIDIA H200"), "seconds"),
        (("cuda:0",), "seconds"),
    ],
)
def test_time_is_that_of_the_device(devices: tuple[str, ...], expected: str) -> None:
    point = (Point(100, seconds=1.0, processor_seconds=2.0, value=5.0),)
    facts = [{"machine": {"device": device}} for device in devices] or [{}]
    runs = [Run(small_run("a", n, {}).folder, {}, n, {"fid": point}, facts=told) for n, told in enumerate(facts)]
    told = study(*runs)
    assert clock_of(told) == expected
    assert at_equal_time(told)[0].at == {"seconds": 1.0, "processor_seconds": 2.0}[expected]


def test_a_value_that_is_not_finite_is_a_gap() -> None:
    (column,) = at_equal_iterations(small_study({"a": {0: 1.0}, "b": {0: math.nan, 1: 2.0}}))
    assert column.entries["b"].by_seed == {1: 2.0}
    assert column.entries["b"].gaps == ("seed 0: nan at iteration 100",)


def test_figures_are_the_known_ones_that_two_runs_have_in_the_order_of_tables() -> None:
    curves = {name: [(1, 1.0)] for name in ("train/recall", "recall", "fid", "fid_floor", "layout/x/miou", "own")}
    runs = (small_run("a", 0, curves), small_run("b", 0, {**curves, "psnr": [(1, 1.0)]}))
    assert figures_of(Study("s", runs, "a")) == ("fid", "recall", "layout/x/miou")
    assert figures_of(Study("s", runs, "a", ("own", "psnr"))) == ("own", "psnr")


def test_nothing_to_compare_is_no_error() -> None:
    empty = Study("s", (), "a")
    assert (at_equal_iterations(empty), at_equal_time(empty), length_of(empty)) == ([], [], 0)
    (column,) = at_equal_iterations(study(small_run("a", 0, {"fid": [(1, 1.0)]}), figure="fidd"))
    assert (column.at, column.entries["a"].gaps) == (None, ("seed 0: not measured",))

"""What tables say in words: best, not distinguishable, too few seeds, missing."""

import pytest

pytest.importorskip("scipy", reason="the extra 'ablation' is not installed")

from lit_an.ablation.analysis.runs import Run
from lit_an.ablation.analysis.study import Missing, Study
from lit_an.ablation.report.sentences import doubts, tables_of, verdict, what_is_compared
from lit_an.ablation.report.tables import differences_csv, latex, markdown
from lit_an.metrics.directions import KINDS
from tests.ablation.small_studies import small_run, small_study


def test_too_few_seeds_allow_no_verdict() -> None:
    (table, *_) = tables_of(small_study({"a": {0: 3.0}, "b": {0: 2.0}}))
    assert "fewer than 2 paired seeds allow no interval" in table.caption
    told = verdict(table.columns[0])
    assert told == "b has the lowest mean (2.000); with 1 seed that a shares, whether that is chance cannot be told"
    assert "**" not in markdown(small_study({"a": {0: 3.0}, "b": {0: 2.0}}), [table])


def test_what_cannot_be_told_apart_is_said_so() -> None:
    close = small_study({"a": {0: 3.0, 1: 4.0, 2: 5.0}, "b": {0: 3.5, 1: 3.0, 2: 5.2}})
    (table, *_) = tables_of(close)
    assert "but is not distinguishable from a with 3 seeds" in verdict(table.columns[0])
    assert "**" not in markdown(close, [table])
    apart = small_study({"a": {0: 3.0, 1: 4.0, 2: 5.0}, "b": {0: 1.5, 1: 2.4, 2: 3.6}})
    (table, *_) = tables_of(apart)
    assert "b has the lowest mean (2.50), distinguishable from the second, a, with 3 seeds" in verdict(table.columns[0])
    assert r"| b | **2.50 ± 1.05**<br>−1.50 [−1.75, −1.25]\* |" in markdown(apart, [table])


def test_a_best_mean_that_only_other_seeds_give_is_said_so() -> None:
    odd = small_study({"a": {0: 5.0, 1: 5.1, 2: -9.0}, "b": {0: 4.0, 1: 4.11}})
    (table, *_) = tables_of(odd)
    assert "a has the lowest mean" in verdict(table.columns[0])
    assert "but b is better over the 2 seeds that both have" in verdict(table.columns[0])
    assert "**" not in markdown(odd, [table])


def _measured(variant: str, seed: int, extractor: str, generated: int = 50_000) -> Run:
    basis = {"extractor": {"name": extractor}, "counts": {"generated": generated}, "reference": {"key": extractor}}
    return small_run(variant, seed, {"fid": [(1, seed + 1.0)]}, results={1: {"figures": {"fid": seed + 1.0}, **basis}})


def test_figures_of_other_extractors_or_counts_are_not_compared() -> None:
    """As ``compare_results`` refuses them: no difference, no best one, and every file says why."""
    runs = [_measured(variant, seed, "inception") for variant in "ab" for seed in (0, 1)]
    runs += [_measured("c", seed, "lite", 800) for seed in (0, 1)]
    study = Study("s", tuple(runs), "a")
    (table,) = tables_of(study)
    column = table.columns[0]
    assert verdict(column) == ""
    assert column.entries["b"].difference is not None, "of the same basis as the baseline"
    assert column.entries["c"].difference is None
    told = "extractor (name inception against lite), counts (generated 50000 against 800)"
    assert f"FID: not to be compared between all runs, since their results are of different {told}." in doubts(study)
    assert f"FID, since results are of different {told}." in table.caption
    assert told in markdown(study, [table])
    assert told in latex(study, [table])
    rows = differences_csv(study, [table]).splitlines()[1:]
    assert [row.split(",")[3] for row in rows] == ["b"]
    alike = Study("s", tuple(runs[:4]), "a")
    assert not any("compared between" in sentence for sentence in doubts(alike))


def test_what_only_some_figures_of_inpainting_rest_on_concerns_only_these() -> None:
    def run(variant: str, network: str) -> Run:
        basis = {"lpips": {"network": network}, "masks": {"sha256": "ab" * 32}, "extractor": None}
        figures = {"psnr": 20.0, "lpips": 0.1}
        curves = {name: [(1, value)] for name, value in figures.items()}
        return small_run(variant, 0, curves, results={1: {"figures": figures, **basis}})

    told = doubts(Study("s", (run("a", "alex"), run("b", "vgg")), "a"))
    assert told[0].startswith("LPIPS: not to be compared")
    assert not any("PSNR" in sentence for sentence in told)


def test_nothing_is_compared_at_equal_time_between_machines() -> None:
    def run(variant: str, device: str) -> Run:
        machine = {"machine": {"device": device, "cpu": "Some Processor"}}
        return small_run(variant, 0, {"fid": [(1, 5.0, 2.0), (2, 10.0, 1.0)]}, facts=machine)

    mixed = Study("s", (run("a", "cpu"), run("b", "NVIDIA H200")), "a")
    assert [table.title for table in tables_of(mixed)] == ["Equal iterations"]
    assert any("different machines (Some Processor; nvidia h200)" in sentence for sentence in doubts(mixed))
    alike = Study("s", (run("a", "cpu"), run("b", "cpu")), "a")
    assert [table.title for table in tables_of(alike)] == ["Equal iterations", "Equal time"]


def test_equal_means_have_no_best() -> None:
    (table, *_) = tables_of(small_study({"a": {0: 0.0, 1: 0.0}, "b": {0: 1.0, 1: 1.5}, "c": {0: 0.0, 1: 0.0}}))
    assert verdict(table.columns[0]) == "a and c have the lowest mean (0.00)"


@pytest.mark.parametrize(("count", "expected"), [(1, [1]), (4, [4]), (5, [2, 3]), (9, [3, 3, 3])])
def test_wide_tables_have_pieces_of_about_the_same_width(count: int, expected: list[int]) -> None:
    figures = list(KINDS)[:count]
    runs = tuple(small_run(name, 0, {figure: [(1, 1.0)] for figure in figures}) for name in "ab")
    (table,) = tables_of(Study("wide", runs, "a", tuple(figures)))
    assert [len(piece) for piece in table.pieces()] == expected
    assert [index for piece in table.pieces() for index in piece] == list(range(count))


def test_a_number_of_seeds_that_differs_is_said() -> None:
    fewer = small_study({"a": {0: 3.0, 1: 4.0, 2: 5.0}, "b": {0: 3.5, 1: 3.0}})
    text = markdown(fewer, tables_of(fewer))
    assert "| b | 3.2 ± 0.4 (n = 2)<br>" in text
    assert text.count("n =") == 1
    assert "2 to 3 seeds each" in what_is_compared(fewer)


def test_runs_that_are_not_whole_are_named() -> None:
    runs = (
        *(small_run(n, 0, {"fid": [(100, 1.0), (200, 1.0)]}) for n in "ab"),
        small_run("b", 1, {"fid": [(100, 1.0)]}),
    )
    untimed = "No run recorded the time of its iterations, so nothing is compared at equal time."
    expected = ["b, seed 1: only 100 iterations of 200.", "a: no run of seed 1.", untimed]
    assert doubts(Study("s", runs, "a")) == expected
    assert [table.title for table in tables_of(Study("s", runs, "a"))] == ["Equal iterations"]
    told = Study("s", runs, "c", missing=(Missing("b, seed 1", "stopped"), Missing("a, seed 1", "failed")))
    assert doubts(told)[:2] == ["b, seed 1: stopped.", "a, seed 1: failed."]
    assert doubts(told)[3:] == ["The baseline, c, has no run, so there are no differences."]

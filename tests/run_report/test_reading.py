"""What is read of a run folder while the run writes in it."""

from pathlib import Path

from lit_an.run_report.reading import curves_of, number_in, rows_of
from tests.run_report.run_folders import make_run


def test_a_row_that_is_being_written_is_left_out(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", rows=3)
    whole = (run / "metrics.csv").read_text()
    every = rows_of(run)
    assert len(every) == 3
    last = whole.splitlines()[-1]
    for cut in range(1, len(last) + 1):
        (run / "metrics.csv").write_text(whole[: len(whole) - cut])
        assert rows_of(run) == every[:2]
    (run / "metrics.csv").write_text("")
    assert rows_of(run) == []


def test_curves_hold_finite_values_and_the_later_row() -> None:
    rows = [{"step": "1", "a": "2.0", "b": ""}, {"step": "1", "a": "3.0", "b": "nan"}, {"step": "", "a": "4", "b": "5"}]
    assert curves_of(rows) == {"a": {1: 3.0}}
    too_long = {"step": "2", "a": "4.0", None: ["5.0"]}
    assert curves_of([*rows, too_long]) == {"a": {1: 3.0}}  # type: ignore[list-item]
    assert [number_in(text) for text in ("1e-3", "inf", "x", "", None)] == [0.001, None, None, None, None]

"""``metrics.csv`` of a training that another process measures meanwhile."""

import fcntl
from pathlib import Path

import pytest

from callbacks import MetricsCSV
from lit_an.files.locks import locked
from lit_an.run_report.reading import curves_of, rows_of
from lit_an.tasks.log_rows import has_validated
from tests.training import make_task, make_trainer


def test_rows_of_both_processes_stay(tmp_path: Path) -> None:
    training, measuring = MetricsCSV(str(tmp_path)), MetricsCSV(str(tmp_path))
    for step in (1, 2):
        training.log_metrics({"train/a": float(step)}, step=step)
    measuring.log_metrics({"test/fid": 5.0}, step=2)
    training.log_metrics({"train/a": 3.0}, step=3)
    measuring.log_metrics({"val/fid": 6.0, "test/fid": 7.0}, step=2)
    training.log_metrics({"train/a": 4.0, "val/fid": 4.0}, step=4)
    header = (tmp_path / "metrics.csv").read_text().partition("\n")[0]
    assert header == "step,train/a,test/fid,val/fid", "each column once"
    assert curves_of(rows_of(tmp_path)) == {
        "train/a": {1: 1.0, 2: 2.0, 3: 3.0, 4: 4.0},
        "test/fid": {2: 7.0},
        "val/fid": {2: 6.0, 4: 4.0},
    }


def test_a_run_without_a_logger_lacks_no_figures(tmp_path: Path) -> None:
    """Each start of such a run would make up the validation of its end."""
    task = make_task()
    assert has_validated(make_trainer(tmp_path, task, 1), 1)
    assert not has_validated(make_trainer(tmp_path, task, 1, logger=MetricsCSV(str(tmp_path))), 1)


def test_one_process_at_a_time_changes_the_file(tmp_path: Path) -> None:
    """Also where it is replaced meanwhile; a process that is suspended with the lock does not stop the others."""
    path = tmp_path / "metrics.csv"
    path.write_text("step\n")
    with locked(path), path.open("rb+") as other:
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with locked(path, wait=0.0):
            (tmp_path / "new").write_text("step\n")
            (tmp_path / "new").replace(path)
    with path.open("rb+") as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)

"""Cells as jobs of submitit, on its executor for one machine."""

import json
from pathlib import Path

import pytest
from lightning_fabric.plugins.environments import SLURMEnvironment

from lit_an.ablation.bench.cells import state_of
from lit_an.ablation.bench.cluster import CellJob, run_on_cluster
from lit_an.ablation.bench.plan import Level
from lit_an.ablation.bench.processes import RunningCell
from lit_an.errors import InputError
from tests.ablation.bench.stand_in import STEPS
from tests.ablation.bench.test_processes import CODE, COMMAND, ROOT, cells, starts

pytest.importorskip("submitit")


@pytest.fixture(autouse=True)
def stand_in_is_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def test_jobs_run_and_one_that_fails_stops_nothing(tmp_path: Path) -> None:
    said: list[str] = []
    wanted = cells(tmp_path, Level("a"), Level("b", options={"fails": True}))
    ended = run_on_cluster(wanted, CODE, COMMAND, "local", {"timeout_min": 5}, tmp_path / "jobs", said.append)
    assert {outcome.cell.name: outcome.status for outcome in ended.outcomes} == {
        "a, seed 0": "done",
        "b, seed 0": "failed",
    }
    assert [state_of(cell, CODE) for cell in wanted] == ["done", "failed"]
    assert "    error: it cannot be trained" in said


def test_a_job_that_is_ended_early_saves_and_its_successor_goes_on(tmp_path: Path) -> None:
    """What submitit does at a time limit: it calls ``checkpoint`` and starts what that returns as a new job."""
    (cell,) = cells(tmp_path, Level("x", options={"pause": 0.3}))
    job = CellJob(cell, CODE, COMMAND)
    job._running = RunningCell(cell, CODE, COMMAND, {})
    while "iteration 1 " not in cell.log.read_text():
        pass
    successor = job.checkpoint()
    assert successor.function().status == "done"
    assert 0 < starts(cell)[1] < STEPS


def test_lightning_starts_the_processes_of_a_job_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job of submitit has one task, whatever its GPUs; Lightning would want a task for each."""
    (cell,) = cells(tmp_path, Level("x"))
    for name, value in {"NTASKS": "1", "NTASKS_PER_NODE": "1", "JOB_NAME": "submitit"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    assert SLURMEnvironment.detect()
    assert CellJob(cell, CODE, COMMAND)().status == "done"
    for name, value in json.loads((cell.folder / "environment.json").read_text()).items():
        monkeypatch.setenv(name, value)
    assert not SLURMEnvironment.detect()


@pytest.mark.parametrize(
    ("cluster", "parameters", "sentence"),
    [
        ("local", {"timeout": "5"}, "submitit cannot use the cluster .local.: .*timeout"),
        ("slurm", {}, "submitit cannot use the cluster 'slurm'"),
    ],
)
def test_what_submitit_refuses_is_one_sentence(
    cluster: str, parameters: dict[str, str], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=sentence):
        run_on_cluster(cells(tmp_path), CODE, COMMAND, cluster, parameters, tmp_path / "jobs", print)  # type: ignore[arg-type]

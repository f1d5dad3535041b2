"""The command: a small grid of real trainings, from the plan to the report, killed half-way."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import cli
import lit_an.commands.ablate as ablate_module
from lit_an.ablation.analysis.cell_study import study_of_cells
from lit_an.ablation.bench import cells
from lit_an.ablation.bench.cells import Cell, cells_of, state_of
from lit_an.ablation.bench.plan_files import read_plan
from lit_an.ablation.bench.processes import CAN_GO_ON, Ended
from lit_an.ablation.report.formatting import date_text
from lit_an.code_version import code_hash
from tests.ablation.small_studies import write_run
from tests.command_line.small_runs import ROOT, SMALL_CLASSES
from tests.training import logged_rows

Ablate = Callable[..., tuple[str, str]]


def plan_file(folder: Path, image_folder: Path, *layers: str) -> Path:
    path = folder / "small.yaml"
    options = {
        "iterations": 4,
        "trainer.val_check_interval": 2,
        "trainer.limit_val_batches": 1,
        "trainer.log_every_n_steps": 1,
        "model.generator.base_width": 2,
        "model.generator.num_classes": 3,
        "model.discriminator.base_width": 2,
        "data.source": "lit_an.data.sources.ImageFolder",
        "data.source.root": str(image_folder),
        "data.batch_size": 4,
    }
    content = {
        "config": SMALL_CLASSES,
        "options": options,
        "vary": {"model.generator.long_range": list(layers)},
        "seeds": [0, 1],
    }
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def ablate(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ablate:
    """Calls the command, whose runs are processes of one thread; what it prints, errors apart."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def call(*options: str, code: int = 0) -> tuple[str, str]:
        found = cli.main(["ablate", *options])
        said = capsys.readouterr()
        assert found == code, said.out + said.err
        return said.out, said.err

    return call


def test_a_grid_from_the_plan_to_the_report_does_nothing_twice(
    image_folder: Path, tmp_path: Path, ablate: Ablate
) -> None:
    plan, output = plan_file(tmp_path, image_folder, "none", "attentive"), tmp_path / "out"
    said, _ = ablate(str(plan), f"--output={output}", "--measure_cost=false", "--vary=seed_everything=3")
    folders = [output / layer / "seed_3" for layer in ("none", "attentive")]
    assert [sorted(logged_rows(folder, "train/generator/adversarial")) for folder in folders] == [[1, 2, 3, 4]] * 2
    assert (output / "report" / "index.html").exists()
    assert "2 of 2" in said
    before = [(folder / "run.json").read_bytes() for folder in folders]
    said, _ = ablate(str(plan), f"--output={output}", "--vary=seed_everything=3")
    assert "all runs are done" in said
    assert [(folder / "run.json").read_bytes() for folder in folders] == before
    record = json.loads(before[1])
    with tempfile.TemporaryDirectory() as made:
        known = json.loads((write_run(Path(made, "run")) / "run.json").read_text())
    assert set(known) <= set(record), "the made-up runs of other tests have the facts of real ones"
    assert set(known["git"]) <= set(record["git"] or known["git"])
    page = (output / "report" / "index.html").read_text()
    assert date_text(record["starts"][0]["time"]) in page
    if record["git"] is not None:
        assert f">{record['git']['commit'][:8]}{'+' * record['git']['is_changed']}<" in page
    assert record["parameters"]["generator"] > 0
    assert record["operations"]["generator"] > 0
    assert record["starts"][0]["iteration"] == 0
    assert record["starts"][0]["code"] == record["code"] == code_hash()


def test_the_plan_says_what_it_costs_before_anything_is_started(
    image_folder: Path, tmp_path: Path, ablate: Ablate
) -> None:
    plan, output = plan_file(tmp_path, image_folder, "none", "nothing"), tmp_path / "out"
    said, _ = ablate(str(plan), f"--output={output}", "--dry_run=true")
    assert "2 variants × 2 seeds" in said
    assert "nothing could not be measured: error: " in said
    assert "unknown norm 'nothing'" in said
    assert [path.name for path in output.iterdir()] == ["costs.json"]
    row = next(line for line in said.splitlines() if line.strip().startswith("none"))
    assert float(row.split()[4]) > 0  # seconds of an iteration


def test_nothing_is_started_if_no_variant_can_be_trained(image_folder: Path, tmp_path: Path, ablate: Ablate) -> None:
    plan, output = plan_file(tmp_path, image_folder, "nothing"), tmp_path / "out"
    _, errors = ablate(str(plan), f"--output={output}", code=2)
    assert "error: ablate: no variant can be trained; unknown norm 'nothing'" in errors
    assert not (output / "nothing").exists()


@pytest.mark.slow
def test_a_killed_bench_ends_as_one_that_was_not(image_folder: Path, tmp_path: Path, ablate: Ablate) -> None:
    plan = plan_file(tmp_path, image_folder, "attentive")
    ablate(str(plan), f"--output={tmp_path / 'straight'}", "--measure_cost=false")
    output = tmp_path / "killed"
    argv = [sys.executable, str(ROOT / "cli.py"), "ablate", str(plan), f"--output={output}", "--measure_cost=false"]
    for _ in range(3):
        bench = subprocess.Popen(argv, stdout=subprocess.DEVNULL, start_new_session=True)
        time.sleep(9)
        os.kill(bench.pid, signal.SIGKILL)
        bench.wait()
    ablate(str(plan), f"--output={output}", "--measure_cost=false")
    for seed in (0, 1):
        runs = [tmp_path / kind / "attentive" / f"seed_{seed}" for kind in ("straight", "killed")]
        straight, killed = (logged_rows(run, "train/") for run in runs)
        assert killed == straight


@pytest.mark.slow
def test_a_norm_of_another_package_takes_part_by_its_name(
    image_folder: Path, tmp_path: Path, ablate: Ablate, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site"
    (package / "halving-1.0.dist-info").mkdir(parents=True)
    (package / "halving.py").write_text(
        "from torch import nn\n\n\n"
        "class Halving(nn.Module):\n"
        "    def __init__(self, num_features):\n"
        "        super().__init__()\n\n"
        "    def forward(self, x, condition=None):\n"
        "        return x / 2\n"
    )
    (package / "halving-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: halving\nVersion: 1.0\n")
    (package / "halving-1.0.dist-info" / "entry_points.txt").write_text("[lit_an.norms]\nhalving = halving:Halving\n")
    plan, output = plan_file(tmp_path, image_folder, "none", "halving"), tmp_path / "out"
    monkeypatch.setenv("PYTHONPATH", str(package))
    ablate(str(plan), f"--output={output}", "--measure_cost=false", "--vary=seed_everything=0")
    assert sorted(logged_rows(output / "halving" / "seed_0", "train/generator/adversarial")) == [1, 2, 3, 4]
    assert "halving" in (output / "report" / "table.md").read_text()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ([], "ablate: there is nothing to run; give a plan"),
        (["nowhere.yaml"], "the config nowhere.yaml cannot be read"),
        (["--config=nowhere.yaml"], "the config nowhere.yaml"),
        (["--config=a.yaml", "--vary=seed_everything=a"], "seeds must be whole numbers"),
        (["--config=a.yaml", "--vary=x=1", "--vary=x=2"], "--vary x is given twice; give it once, with all values"),
        (["--report=nowhere"], "there is no such folder"),
        (["--report=.", "--config=a.yaml"], "--report only reads runs"),
        (["--report=.", "--jobs=2"], "--report only reads runs that are there; beside it there is only --output"),
        (["--config=a.yaml", "--job={timeout_min: 5}"], "--job is of a cluster's jobs; give --executor"),
        (["--config=a.yaml", "--jobs=2", "--executor=slurm"], "--jobs is of this machine; a cluster decides"),
    ],
)
def test_what_cannot_be_run_is_one_sentence(
    options: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["ablate", *options]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert sentence in said
    assert list(tmp_path.iterdir()) == []


def _plan_of_options(folder: Path) -> Path:
    (folder / "base.yaml").write_text("iterations: 1000\n")
    levels = {"none": {"model.generator.long_range": "none"}, "attentive": {"model.generator.long_range": "attentive"}}
    (folder / "plan.yaml").write_text(json.dumps({"config": "base.yaml", "vary": {"layer": levels}}))
    return folder / "plan.yaml"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--vary=model.discriminator.layer=a,b"], "varies layer already; leave --vary model.discriminator.layer out"),
        (
            ["--vary=model.generator.long_range=a,b"],
            "varies layer already; leave --vary model.generator.long_range out",
        ),
        (["--vary=iterations=abc"], "iterations of none, abc must be a whole number, got 'abc'"),
    ],
)
def test_what_a_plan_varies_is_not_replaced_without_a_word(
    options: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["ablate", str(_plan_of_options(tmp_path)), f"--output={tmp_path / 'out'}", *options]) == 2
    assert sentence in capsys.readouterr().err


def test_an_option_of_another_part_is_added_to_a_plan_that_varies_one_of_the_same_name(tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text("config: base.yaml\nvary: {model.generator.norm: [batch, instance]}\n")
    plan = ablate_module._plan(str(tmp_path / "plan.yaml"), [], ["model.discriminator.norm=none,layer"])
    assert list(plan.factors) == ["norm", "discriminator.norm"]


def test_runs_of_seeds_that_the_plan_has_no_more_are_named_in_the_report(tmp_path: Path) -> None:
    plan, output = read_plan(_plan_of_options(tmp_path)), tmp_path / "out"
    for cell in cells_of(dataclasses.replace(plan, seeds=(0, 3)), output):
        write_run(cell.folder, cell.variant.name, cell.seed, iterations=50)
        cells.write_record(cell, code_hash(), "done", exit_code=0)
    study = study_of_cells(plan, cells_of(plan, output), "", "")
    assert study is not None
    assert study.seeds == (0,)
    named = "attentive/seed_3, none/seed_3"
    assert study.notes[-1] == f"The plan does not have these runs in {output}, so they are left out: {named}."


def test_a_cluster_s_machines_are_not_measured_on_this_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    submitted: list[int] = []

    def submit(cells: Sequence[Cell], *others: object) -> Ended:
        submitted.append(len(cells))
        return Ended([])

    monkeypatch.setattr(ablate_module, "run_on_cluster", submit)
    options = [str(_plan_of_options(tmp_path)), f"--output={tmp_path / 'out'}", "--executor=slurm"]
    assert cli.main(["ablate", *options]) == CAN_GO_ON
    assert submitted == [2]
    assert not (tmp_path / "out" / "costs.json").exists()


def test_a_report_of_runs_of_others_is_written_where_it_is_asked_for(tmp_path: Path) -> None:
    write_run(tmp_path / "runs" / "a", "none", iterations=50)
    assert cli.main(["ablate", f"--report={tmp_path / 'runs'}", f"--output={tmp_path / 'mine'}"]) == 0
    assert (tmp_path / "mine" / "index.html").is_file()
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["a"]


def test_a_diverged_run_begins_anew_and_one_that_failed_otherwise_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, output = _plan_of_options(tmp_path), tmp_path / "out"
    diverged, failed = cells_of(read_plan(plan), output)
    for cell, code in ((diverged, 3), (failed, 74)):
        cell.folder.mkdir(parents=True)
        (cell.folder / "saved").write_text("4")
        cells.write_record(cell, code_hash(), "failed", exit_code=code)
    assert [state_of(cell, code_hash()) for cell in (diverged, failed)] == ["diverged", "failed"]
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setattr(ablate_module, "command_line", lambda: [sys.executable, "-m", "tests.ablation.bench.stand_in"])
    assert cli.main(["ablate", str(plan), f"--output={output}", "--measure_cost=false"]) == 0
    assert [(cell.folder / "starts").read_text() for cell in (diverged, failed)] == ["0\n", "4\n"]
    assert (output / "former" / "none" / "seed_0_1" / "saved").read_text() == "4"


def test_a_run_whose_folder_was_removed_is_not_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan, output = read_plan(_plan_of_options(tmp_path)), tmp_path / "out"
    removed, done = cells_of(plan, output)
    for cell in (removed, done):
        write_run(cell.folder, cell.variant.name, cell.seed)
        cells.write_record(cell, code_hash(), "done", exit_code=0)
    shutil.rmtree(removed.folder)
    assert [state_of(cell, code_hash()) for cell in (removed, done)] == ["removed", "done"]
    study = study_of_cells(plan, [removed, done], "", "")
    assert study is not None
    assert study.missing == (("none, seed 0", f"it was done, and {removed.folder} has no run any more"),)
    options = [f"--plan={tmp_path / 'plan.yaml'}", f"--output={output}", "--measure_cost=false", "--dry_run=true"]
    assert cli.main(["ablate", *options]) == 0
    assert "again: its folder is gone" in capsys.readouterr().out

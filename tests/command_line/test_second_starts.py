"""A second start in the folder of a run: held by one process, written as one writes it, with other files beside it."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import cli
import lit_an.command_line.run_folder as run_folder
from lit_an.errors import InputError
from lit_an.files.locks import hold, release
from tests.command_line.small_runs import ROOT, arguments

HOLDER = """
import sys
from pathlib import Path
from lit_an.files.locks import hold
print(hold(Path(sys.argv[1])), flush=True)
input()
"""


@pytest.fixture
def other(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process that trains in the folder ``run``."""
    (tmp_path / "run").mkdir()
    argv = [sys.executable, "-c", HOLDER, str(tmp_path / "run" / ".lock")]
    process = subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "None\n"
    yield process
    process.kill()
    process.communicate()


def test_one_process_trains_in_a_folder(
    other: "subprocess.Popen[str]", image_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Until it ends, even by SIGKILL."""
    run = tmp_path / "run"
    assert cli.main(arguments(image_folder, run)) == 2
    said = capsys.readouterr().err
    assert f"error: {run}: another fit trains in this run folder (process {other.pid} on " in said
    assert [path.name for path in run.iterdir()] == [".lock"]
    other.send_signal(signal.SIGKILL)
    other.wait()
    run_folder.take(str(run))
    assert hold(run / ".lock") is None, "by this process"
    release()
    assert list(run.iterdir()) == []


def test_one_bench_works_in_a_folder(
    other: "subprocess.Popen[str]", tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--config", "configs/class_conditional/earth_quickstart.yaml", "--vary=seed_everything=0,1"]
    assert cli.main(["ablate", *options, f"--output={tmp_path / 'run'}", "--dry_run=true"]) == 2
    said = capsys.readouterr().err
    assert f"error: ablate: process {other.pid} on " in said
    assert f" works in {tmp_path / 'run'} already; wait for its end, or choose another --output" in said


def test_a_second_start_stays_in_the_folder_and_leaves_other_runs_alone(
    image_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One run for many small things, since a run takes seconds."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    run = tmp_path / "my run"
    run.mkdir()
    (run / "metrics.csv").write_text("step,train/a\n")  # killed before its first checkpoint
    quick = ["--trainer.logger=false", "--trainer.callbacks.Checkpointing.every_iterations=1"]
    again = ["--ckpt_path=auto", "--run_folder=~/./my run/", "--iterations=1"]
    assert cli.main([*arguments(image_folder, run, *quick), *again]) == 0
    assert not Path("~").exists()
    assert f"the same command with --ckpt_path '{run}' goes on" in capfd.readouterr().out

    (tmp_path / "elsewhere.yaml").write_text("run_folder: elsewhere\n")
    (run / "config_before_resume_2.yaml").write_text("mine\n")
    writing = {name: run / name for name in ("other/checkpoints/.lit_an-a.ckpt", "samples/.lit_an-b.png", ".lit_an-c")}
    for file in writing.values():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    argv = arguments(image_folder, run, *quick)
    argv.remove(f"--run_folder={run}")
    more = ["--config=elsewhere.yaml", f"--ckpt_path={run}"]
    more += ["--trainer.callbacks+=callbacks.GeneratorEMA", "--trainer.callbacks.decay=0.25"]
    assert cli.main([*argv, *more]) == 0
    said = caplog.text
    assert "run_folder elsewhere of the config is ignored" in said
    assert "trainer.callbacks: a run has one GeneratorEMA; the last of them is used" in said
    assert not Path("elsewhere").exists()
    assert [name for name, file in writing.items() if file.exists()] == ["other/checkpoints/.lit_an-a.ckpt"]
    assert (run / "config_before_resume_2.yaml").read_text() == "mine\n"
    assert (run / "config_before_resume_3.yaml").exists()
    assert (run / "config.yaml").read_text().count("callbacks.GeneratorEMA") == 1
    assert not (run / ".lock").exists()


def test_a_folder_at_home_is_that_folder(
    image_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home" / "x").mkdir(parents=True)
    (tmp_path / "home" / "x" / "config.yaml").touch()
    assert cli.main(arguments(image_folder, Path("~/x"))) == 2
    assert f"--run_folder {tmp_path}/home/x holds a run already" in capsys.readouterr().err
    assert not Path("~").exists()
    (tmp_path / "year.yaml").write_text("run_folder: 2024\n")
    argv = [each for each in arguments(image_folder, tmp_path) if not each.startswith("--run_folder")]
    assert cli.main([*argv, "--config=year.yaml"]) == 2
    assert "error: run_folder: expected a text, got 2024; put it in quotes in the config" in capsys.readouterr().err


def test_runs_that_lead_nowhere_are_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("runs").symlink_to("gone")
    with pytest.raises(InputError, match=r"runs/earth cannot be made \(Not a directory\); choose a folder"):
        run_folder.choose(None, None, "earth", is_new=True)

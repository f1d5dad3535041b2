"""The README and the curves of a run folder: when they are written, and that a run goes on without them."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
from pytorch_lightning.callbacks import Callback

import callbacks.records.readme as module
import cli
from callbacks import Checkpointing, SampleGridLogger
from callbacks.loggers.metrics_csv import MetricsCSV
from callbacks.records.order import run_records
from callbacks.records.readme import RunReadme
from tests.command_line.small_runs import arguments
from tests.training import make_data, make_task, make_trainer


class Reads(Callback):
    """Keeps what the README says after each iteration; it is there after the first."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def on_train_batch_end(self, trainer: Any, task: Any, *args: Any) -> None:
        folder = Path(trainer.default_root_dir)
        self.found.append(_state(folder) if (folder / "README.md").exists() else "")


def _state(folder: Path) -> str:
    found = re.search(r"\*\*(.*)\*\*: iteration (\d+)(?: of (\d+))?", (folder / "README.md").read_text())
    assert found is not None
    return " ".join(filter(None, found.groups()))


def test_it_is_written_at_the_start_after_checkpoints_and_at_the_end(tmp_path: Path, image_folder: Path) -> None:
    task, reads = make_task(), Reads()
    callbacks = [reads, SampleGridLogger(2, columns=1), Checkpointing(every_iterations=2), *run_records()]
    logger = MetricsCSV(str(tmp_path))
    make_trainer(tmp_path, task, 5, callbacks, logger=logger).fit(task, datamodule=make_data(image_folder))
    # ``reads`` comes before the README is written in an iteration.
    assert reads.found == ["", "training 1 5", "training 1 5", "training 3 5", "training 3 5"]
    assert _state(tmp_path) == "finished 5 5"
    text = (tmp_path / "README.md").read_text()
    for link in ("samples/iteration_0000005.png", "samples/history.webp", "reals.png", "curves.png", "checkpoints"):
        assert f"]({link})" in text
        assert (tmp_path / link).exists()


def test_a_run_of_the_command_line_has_it_and_names_a_command_that_goes_on(
    tmp_path: Path, image_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "a run"
    argv = arguments(image_folder, folder)
    monkeypatch.setattr("sys.argv", ["lit-an", *argv])
    assert cli.main(argv) == 0
    text = (folder / "README.md").read_text()
    command = re.search(r"^    lit-an (fit --ckpt_path .*)$", text, re.MULTILINE)
    assert command is not None
    import shlex

    os.environ.pop("LIT_AN_RUN_FOLDER", None)
    assert cli.main(shlex.split(command[1])) == 0
    assert _state(folder) == "finished 4 4"


def test_an_error_is_named(tmp_path: Path, image_folder: Path) -> None:
    class Fails(Callback):
        def on_train_batch_end(self, *args: Any) -> None:
            raise ZeroDivisionError

    task = make_task()
    with pytest.raises(ZeroDivisionError):
        make_trainer(tmp_path, task, 3, [RunReadme(), Fails()]).fit(task, datamodule=make_data(image_folder))
    assert _state(tmp_path) == "ended by an error (ZeroDivisionError) 1 3"


def test_a_run_goes_on_where_it_cannot_be_written(
    tmp_path: Path, image_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FILE", "no_folder/README.md")
    (tmp_path / "no_folder").write_text("a file is in its place")
    task = make_task()
    with pytest.warns(UserWarning, match="the training goes on without") as caught:
        make_trainer(tmp_path, task, 2, [RunReadme()]).fit(task, datamodule=make_data(image_folder))
    assert task.iteration == 2
    assert len([warning for warning in caught if "goes on without" in str(warning.message)]) == 1


@pytest.mark.parametrize("option", ["--model.generator.num_classes=4", "--model.accumulate=3"])
def test_a_run_that_cannot_make_an_iteration_has_none(option: str, tmp_path: Path, image_folder: Path) -> None:
    """The data and the networks do not fit, or a batch cannot be split: no picture and no folder is left."""
    assert cli.main(arguments(image_folder, tmp_path / "run", option)) == 2
    assert not (tmp_path / "run").exists()


def test_without_matplotlib_there_are_no_curves_and_no_word(
    tmp_path: Path, image_folder: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *args: None if name == "matplotlib" else find(name))
    task, logger = make_task(), MetricsCSV(str(tmp_path))
    trainer = make_trainer(tmp_path, task, 1, run_records(), logger=logger)
    trainer.fit(task, datamodule=make_data(image_folder))
    assert not (tmp_path / "curves.png").exists()
    assert not [warning for warning in recwarn if "curves" in str(warning.message)]

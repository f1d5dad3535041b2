"""Tables and event files of a run whose disk is full, whose folder is removed, or that is resumed."""

import contextlib
import csv
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from callbacks import Checkpointing, MetricsCSV, SampleGridLogger
from callbacks.loggers import loggers_of_run
from tests.small_disk import small_disk
from tests.training import logged_rows, make_data, make_task, make_trainer

TERM = "train/generator/adversarial"
CARD = "1_losses/adversarial_generator"  # as loggers call it


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    with small_disk(tmp_path / "disk", 256 << 10) as folder:
        yield folder


def fill_up(disk: Path) -> Path:
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"0" * 512)
    return ballast


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return [{name: value for name, value in row.items() if value} for row in csv.DictReader(file)]


def test_rows_wait_for_room_on_a_full_disk(disk: Path, recwarn: pytest.WarningsRecorder) -> None:
    logger = MetricsCSV(str(disk))
    logger.log_metrics({"a": 1.0}, step=1)
    ballast = fill_up(disk)
    for step in range(2, 600):  # the last free bytes of a block hold some
        logger.log_metrics({"a": float(step)}, step=step)
    logger.log_metrics({"a": 5.5, "b": 1.0}, step=600)  # wants the whole file rewritten
    assert len(rows_of(disk / "metrics.csv")) < 600
    said = [str(warning.message) for warning in recwarn if "metrics.csv" in str(warning.message)]
    assert len(said) == 1
    assert "cannot be written (No space left on device): the run goes on" in said[0]
    ballast.unlink()
    logger.log_metrics({"a": 601.0}, step=601)
    expected = [{"step": str(step), "a": f"{step:.1f}"} for step in range(1, 600)]
    expected += [{"step": "600", "a": "5.5", "b": "1.0"}, {"step": "601", "a": "601.0"}]
    assert rows_of(disk / "metrics.csv") == expected
    assert [path.name for path in disk.iterdir()] == ["metrics.csv"]


def test_rows_that_never_found_room_are_named(disk: Path) -> None:
    logger = MetricsCSV(str(disk / "run"))
    fill_up(disk)
    with pytest.warns(UserWarning, match="cannot be written"):
        logger.log_metrics({"a": 1.0}, step=3)
    logger.log_metrics({"a": 1.0}, step=7)
    with pytest.warns(UserWarning, match="2 rows of the iterations 3 to 7 could not be written and are lost"):
        logger.finalize("success")


class At(Callback):
    """Does something before an iteration."""

    def __init__(self, iteration: int, act: Any) -> None:
        self.iteration, self.act = iteration, act

    def on_train_batch_start(self, trainer: Any, task: Any, *args: Any) -> None:
        if task.iteration + 1 == self.iteration:
            self.act()


@pytest.mark.parametrize("what", ["folder", "files"])
def test_a_removed_folder_is_begun_again(what: str, tmp_path: Path, image_folder: Path) -> None:
    folder = tmp_path / "run"

    def remove() -> None:
        if what == "folder":
            shutil.rmtree(folder)
        else:
            for path in [*folder.glob("metrics.csv"), *folder.glob("events*")]:
                path.unlink()

    task = make_task()
    loggers = loggers_of_run(None, str(folder))
    trainer = make_trainer(folder, task, 6, [At(4, remove)], logger=loggers, limit_val_batches=0)
    with pytest.warns(UserWarning, match="disappeared") as said:
        trainer.fit(task, datamodule=make_data(image_folder))
    text = "\n".join(str(warning.message) for warning in said)
    assert text.count("has disappeared, and with it what it held up to iteration 3; it is begun again") == 1
    assert text.count("the event files of TensorBoard in") == 1
    assert sorted(logged_rows(folder, TERM)) == [4, 5, 6]
    assert [event.step for event in EventAccumulator(str(folder)).Reload().Scalars(CARD)] == [4, 5, 6]


def test_a_training_goes_on_on_a_full_disk(disk: Path, image_folder: Path) -> None:
    """Pictures are missed, rows are not."""
    ballast: list[Path] = []
    acts = [At(3, lambda: ballast.append(fill_up(disk))), At(6, lambda: ballast[0].unlink())]
    task = make_task()
    trainer = make_trainer(
        disk,
        task,
        7,
        [*acts, SampleGridLogger(every_iterations=1, columns=1)],
        logger=loggers_of_run(None, str(disk)),
        limit_val_batches=0,
    )
    with pytest.warns(UserWarning, match="No space left") as said:
        trainer.fit(task, datamodule=make_data(image_folder))
    assert task.iteration == 7
    assert sorted(logged_rows(disk, TERM)) == [1, 2, 3, 4, 5, 6, 7]
    assert len([each for each in said if "tries again with each picture" in str(each.message)]) == 1
    assert (disk / "samples" / "iteration_0000007.png").is_file()


@pytest.mark.parametrize("configured", [False, True])
def test_tensorboard_hides_what_a_resumed_run_writes_again(
    configured: bool, tmp_path: Path, image_folder: Path
) -> None:
    for iterations, checkpoint in ((5, None), (4, tmp_path / "checkpoints" / "iteration_0000002.ckpt")):
        chosen = [TensorBoardLogger(tmp_path, name="", version="")] if configured else None
        task = make_task()
        trainer = make_trainer(
            tmp_path,
            task,
            iterations,
            [SampleGridLogger(every_iterations=1, columns=1), Checkpointing(every_iterations=2, keep=9)],
            logger=loggers_of_run(chosen, str(tmp_path)),
            val_check_interval=2,
        )
        trainer.fit(task, datamodule=make_data(image_folder), ckpt_path=checkpoint, weights_only=True)
    read = EventAccumulator(str(tmp_path)).Reload()
    assert [event.step for event in read.Scalars(CARD)] == [1, 2, 3, 4]
    assert [event.step for event in read.Scalars("1_losses/adversarial_generator_val")] == [2, 4]
    assert [event.step for event in read.Images("samples")] == [1, 2, 3, 4]

"""Checkpoints: when, which stay, what is in them, and that a run goes on from one."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning.callbacks import Callback

from callbacks import Checkpointing, GeneratorEMA, MetricsCSV
from lit_an.checkpoints.folder import CheckpointFolder
from lit_an.errors import InputError
from tests.training import make_data, make_task, make_trainer


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in (folder / "checkpoints").iterdir())


class Send(Callback):
    """Sends this process one signal: at an iteration, or in the first validation."""

    def __init__(self, number: int, iteration: int, in_validation: bool = False) -> None:
        self.number, self.iteration, self.in_validation = number, iteration, in_validation

    def on_train_batch_start(self, trainer: Any, task: Any, *args: Any) -> None:
        if not self.in_validation and task.iteration + 1 == self.iteration:
            os.kill(os.getpid(), self.number)

    def on_validation_batch_start(self, trainer: Any, task: Any, *args: Any) -> None:
        if self.in_validation:
            self.in_validation = False
            os.kill(os.getpid(), self.number)


def test_numbered_ones_are_pruned_and_last_is_the_newest(tmp_path: Path, image_folder: Path) -> None:
    task = make_task()
    callbacks = [Checkpointing(every_iterations=2, keep=2)]
    make_trainer(tmp_path, task, 7, callbacks).fit(task, datamodule=make_data(image_folder))
    assert names(tmp_path) == ["iteration_0000006.ckpt", "iteration_0000007.ckpt", "last.ckpt"]
    last = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["state_dict"]["_extra_state"] == {"iteration": 7, "images_seen": 28}


def test_by_wall_time(tmp_path: Path, image_folder: Path) -> None:
    task = make_task()
    callbacks = [Checkpointing(every_iterations=0, every_minutes=1e-9, keep=9)]
    make_trainer(tmp_path, task, 3, callbacks).fit(task, datamodule=make_data(image_folder))
    assert len(names(tmp_path)) == 4


def test_sigusr1_saves_and_goes_on(tmp_path: Path, image_folder: Path) -> None:
    task, checkpointing = make_task(), Checkpointing(every_iterations=0)
    trainer = make_trainer(tmp_path, task, 5, [Send(signal.SIGUSR1, 2), checkpointing])
    trainer.fit(task, datamodule=make_data(image_folder))
    assert names(tmp_path) == ["iteration_0000002.ckpt", "iteration_0000005.ckpt", "last.ckpt"]
    assert checkpointing.stopped_by is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_signal_saves_the_finished_iteration_and_stops(number: int, tmp_path: Path, image_folder: Path) -> None:
    before = signal.getsignal(number)
    task, checkpointing = make_task(), Checkpointing(every_iterations=0)
    trainer = make_trainer(tmp_path, task, 50, [Send(number, 3), checkpointing])
    trainer.fit(task, datamodule=make_data(image_folder))
    assert names(tmp_path) == ["iteration_0000003.ckpt", "last.ckpt"]
    assert checkpointing.stopped_by == number
    assert signal.getsignal(number) == before


def test_a_stop_signal_in_a_validation_ends_it(
    tmp_path: Path, image_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One checkpoint, of the weights that train; no figure of a part of the images."""
    task, checkpointing, ema = make_task(), Checkpointing(every_iterations=0), GeneratorEMA(0.9)
    batches, saves = [], []

    class Watch(Callback):
        def on_validation_batch_start(self, trainer: Any, *args: Any) -> None:
            batches.append(trainer.state.fn)

    write = CheckpointFolder.write
    monkeypatch.setattr(CheckpointFolder, "write", lambda *args: (saves.append(args), write(*args)))
    callbacks = [ema, Watch(), Send(signal.SIGTERM, 2, in_validation=True), checkpointing]
    trainer = make_trainer(
        tmp_path, task, 50, callbacks, val_check_interval=2, limit_val_batches=3, logger=MetricsCSV(str(tmp_path))
    )
    trainer.fit(task, datamodule=make_data(image_folder, batch_size=2))
    assert (task.iteration, len(batches), len(saves)) == (2, 1, 1)
    assert checkpointing.stopped_by == signal.SIGTERM
    assert names(tmp_path) == ["iteration_0000002.ckpt", "last.ckpt"]
    assert "val/" not in (tmp_path / "metrics.csv").read_text()
    checkpoint = torch.load(tmp_path / "checkpoints" / "iteration_0000002.ckpt", weights_only=True)
    average = checkpoint["lit_an"]["average"]
    name = "to_image.parametrizations.weight.original"
    assert not torch.equal(checkpoint["state_dict"][f"generator.{name}"], average[name])


@pytest.mark.parametrize("where", ["between iterations", "inside one"])
def test_a_run_that_an_error_ends_saves(where: str, tmp_path: Path, image_folder: Path) -> None:
    """The checkpoint counts whole iterations, and the run goes on from it to its full length."""

    class Break(Callback):
        def on_train_batch_start(self, trainer: Any, task: Any, *args: Any) -> None:
            if task.iteration == 3 and where == "between iterations":
                raise RuntimeError("broken")

        def on_before_optimizer_step(self, trainer: Any, task: Any, optimizer: Any) -> None:
            generators = optimizer is trainer.optimizers[0]  # the discriminator has made its step
            if task.iteration == 3 and where == "inside one" and generators:
                raise RuntimeError("broken")

    task = make_task()
    trainer = make_trainer(tmp_path, task, 6, [Break(), Checkpointing(every_iterations=0)])
    with pytest.raises(RuntimeError, match="broken"):
        trainer.fit(task, datamodule=make_data(image_folder))
    last = tmp_path / "checkpoints" / "last.ckpt"
    checkpoint = torch.load(last, weights_only=True)
    assert checkpoint["state_dict"]["_extra_state"] == {"iteration": 3, "images_seen": 12}
    assert checkpoint["global_step"] == 6
    task = make_task()
    trainer = make_trainer(tmp_path, task, 6, [Checkpointing()])
    trainer.fit(task, datamodule=make_data(image_folder), ckpt_path=last, weights_only=True)
    assert (task.iteration, task.images_seen, trainer.global_step) == (6, 24, 12)


def test_an_error_before_the_first_iteration_leaves_nothing(tmp_path: Path, image_folder: Path) -> None:
    task = make_task(accumulate=3)
    with pytest.raises(InputError, match="3 equal parts"):
        make_trainer(tmp_path, task, 2, [Checkpointing()]).fit(task, datamodule=make_data(image_folder))
    assert list(tmp_path.iterdir()) == []


def test_going_back_keeps_what_was_written_last(tmp_path: Path, image_folder: Path) -> None:
    def train(iterations: int, checkpoint: Path | None = None) -> None:
        task = make_task()
        trainer = make_trainer(tmp_path, task, iterations, [Checkpointing(every_iterations=2, keep=2)])
        trainer.fit(task, datamodule=make_data(image_folder), ckpt_path=checkpoint, weights_only=True)

    train(2)
    earlier = tmp_path / "earlier.ckpt"
    earlier.write_bytes((tmp_path / "checkpoints" / "last.ckpt").read_bytes())
    train(8, tmp_path / "checkpoints" / "last.ckpt")
    assert names(tmp_path) == ["iteration_0000006.ckpt", "iteration_0000008.ckpt", "last.ckpt"]
    train(4, earlier)
    assert names(tmp_path) == ["iteration_0000004.ckpt", "iteration_0000008.ckpt", "last.ckpt"]
    train(6, tmp_path / "checkpoints" / "last.ckpt")
    assert names(tmp_path) == ["iteration_0000004.ckpt", "iteration_0000006.ckpt", "last.ckpt"]


def test_a_run_goes_on_where_it_stopped(tmp_path: Path, image_folder: Path) -> None:
    """Six iterations straight, or three and a resume of three: the same weights, average, optimizers and counters."""

    def finish(folder: Path, iterations: int, checkpoint: Path | None = None) -> Any:
        task, ema = make_task(), GeneratorEMA(0.9)
        trainer = make_trainer(folder, task, iterations, [ema, Checkpointing(every_iterations=3)])
        data = make_data(image_folder)
        trainer.fit(task, datamodule=data, ckpt_path=checkpoint, weights_only=True)
        return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)

    straight = finish(tmp_path / "straight", 6)
    finish(tmp_path / "half", 3)
    resumed = finish(tmp_path / "resumed", 6, tmp_path / "half" / "checkpoints" / "last.ckpt")
    assert resumed["state_dict"].pop("_extra_state") == straight["state_dict"].pop("_extra_state")
    assert straight["global_step"] == resumed["global_step"]
    averages = [ended["lit_an"].pop("average") for ended in (resumed, straight)]
    assert averages[0].keys() == make_task().generator.state_dict().keys()
    torch.testing.assert_close(*averages, rtol=0, atol=0)
    for ended in (resumed, straight):
        assert len(ended["lit_an"].pop("seconds")) == 2
    assert resumed["lit_an"] == straight["lit_an"]
    for part in ("state_dict", "optimizer_states"):
        torch.testing.assert_close(
            resumed[part], straight[part], rtol=0, atol=0, msg=lambda m, part=part: f"{part}: {m}"
        )


def test_bad_numbers_are_refused() -> None:
    with pytest.raises(InputError, match="keep must be at least 1, got 0"):
        Checkpointing(keep=0)

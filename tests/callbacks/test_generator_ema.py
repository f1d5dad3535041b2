"""The average: against a loop, swapped in and out, in the checkpoint at any moment."""

from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning.callbacks import Callback

from callbacks import Checkpointing, GeneratorEMA
from lit_an.errors import InputError
from lit_an.norms.running_statistics import running_statistics
from tests.training import make_data, make_task, make_trainer, weights


class Oracle(Callback):
    """The same average as a loop over tensors in float64."""

    def __init__(self, decay: float, start: int = 0) -> None:
        self.decay, self.start, self.average = decay, start, {}

    def tensors(self, task: Any) -> dict[str, torch.Tensor]:
        statistics = {n: b for n, b in task.generator.named_buffers() if n.endswith(("running_mean", "running_var"))}
        return {name: t.detach().double() for name, t in [*task.generator.named_parameters(), *statistics.items()]}

    def on_fit_start(self, trainer: Any, task: Any) -> None:
        self.average = self.tensors(task)

    def on_train_batch_end(self, trainer: Any, task: Any, *args: Any) -> None:
        decay = min(self.decay, (1 + task.iteration) / (10 + task.iteration)) if task.iteration > self.start else 0
        for name, tensor in self.tensors(task).items():
            self.average[name] = decay * self.average[name] + (1 - decay) * tensor


@pytest.mark.parametrize("start", [0, 5])
def test_the_average_is_the_formula_and_other_buffers_are_copies(
    tmp_path: Path, image_folder: Path, start: int
) -> None:
    """Running statistics belong to the weights and are averaged; spectral norm's vectors and counts are not."""
    task, ema, oracle = make_task(), GeneratorEMA(decay=0.6, start=start), Oracle(0.6, start)
    make_trainer(tmp_path, task, 8, [ema, oracle]).fit(task, datamodule=make_data(image_folder))
    average = ema.average
    assert set(average) == set(task.generator.state_dict())
    assert not any(name.startswith("discriminator") for name in average)
    for name, expected in oracle.average.items():
        torch.testing.assert_close(average[name].double(), expected, rtol=1e-5, atol=1e-6)
    copied = {name: buffer for name, buffer in task.generator.named_buffers() if name not in oracle.average}
    assert {name.rpartition(".")[2] for name in copied} >= {"_u", "_v", "num_batches_tracked"}
    assert all(torch.equal(average[name], buffer) for name, buffer in copied.items())
    statistics = running_statistics(task.generator)
    assert statistics.keys() == oracle.average.keys() - dict(task.generator.named_parameters()).keys()
    assert not any(torch.equal(average[name], live) for name, live in statistics.items())


def test_statistics_may_be_those_of_the_live_weights(tmp_path: Path, image_folder: Path) -> None:
    task, ema = make_task(), GeneratorEMA(decay=0.6, statistics="copied")
    make_trainer(tmp_path, task, 4, [ema]).fit(task, datamodule=make_data(image_folder))
    average = ema.average
    assert all(torch.equal(average[name], buffer) for name, buffer in task.generator.named_buffers())
    name = "to_image.parametrizations.weight.original"
    assert not torch.equal(average[name], task.generator.state_dict()[name])


def test_up_to_its_start_the_average_is_the_weights(tmp_path: Path, image_folder: Path) -> None:
    task, ema = make_task(), GeneratorEMA(decay=0.6, start=3)
    equal: list[bool] = []

    class Watch(Callback):
        def on_train_batch_end(self, trainer: Any, task: Any, *args: Any) -> None:
            average = ema.average
            equal.append(all(torch.equal(average[name], live) for name, live in task.generator.state_dict().items()))

    make_trainer(tmp_path, task, 4, [ema, Watch()]).fit(task, datamodule=make_data(image_folder))
    assert equal == [True, True, True, False]


def test_the_average_of_an_older_run_goes_on(tmp_path: Path, image_folder: Path) -> None:
    """Where statistics were copied, the average holds them under the same names."""
    task, older = make_task(), GeneratorEMA(decay=0.9, statistics="copied")
    make_trainer(tmp_path, task, 2, [older, Checkpointing()]).fit(task, datamodule=make_data(image_folder))
    before = {name: value.clone() for name, value in older.average.items()}
    task, ema = make_task(), GeneratorEMA(decay=0.9)
    trainer = make_trainer(tmp_path, task, 3, [ema])
    path = tmp_path / "checkpoints" / "last.ckpt"
    trainer.fit(task, datamodule=make_data(image_folder), ckpt_path=path, weights_only=True)
    decay = min(0.9, 4 / 13)
    for name, live in running_statistics(task.generator).items():
        expected = decay * before[name] + (1 - decay) * live
        torch.testing.assert_close(ema.average[name], expected)


def test_it_stands_in_for_validation_and_pictures_and_goes_again(tmp_path: Path, image_folder: Path) -> None:
    task, ema = make_task(), GeneratorEMA(decay=0.9)
    seen: dict[str, torch.Tensor] = {}
    name = "to_image.parametrizations.weight.original"

    class Watch(Callback):
        def on_validation_batch_start(self, trainer: Any, task: Any, *args: Any) -> None:
            seen["validation"] = weights(task, "generator")[name]

    make_trainer(tmp_path, task, 4, [ema, Watch()]).fit(task, datamodule=make_data(image_folder))
    average, live = ema.average[name], weights(task, "generator")[name]
    assert torch.equal(seen["validation"], average)
    assert not torch.equal(live, average)
    with task.evaluation():
        assert torch.equal(weights(task, "generator")[name], average)
    assert torch.equal(weights(task, "generator")[name], live)


def test_a_checkpoint_taken_in_a_validation_is_right(tmp_path: Path, image_folder: Path) -> None:
    task, ema = make_task(), GeneratorEMA(decay=0.9)

    class SaveInValidation(Callback):
        def on_validation_batch_end(self, trainer: Any, *args: Any) -> None:
            trainer.save_checkpoint(tmp_path / "inside.ckpt")

    trainer = make_trainer(tmp_path, task, 4, [ema, SaveInValidation()])
    trainer.fit(task, datamodule=make_data(image_folder))
    checkpoint = torch.load(tmp_path / "inside.ckpt", weights_only=True)
    stored = checkpoint["lit_an"]
    for name, tensor in task.generator.state_dict().items():
        assert torch.equal(checkpoint["state_dict"][f"generator.{name}"], tensor), name
        assert torch.equal(stored["average"][name], ema.average[name]), name


def test_validate_from_a_checkpoint_uses_the_average(tmp_path: Path, image_folder: Path) -> None:
    task = make_task()
    callbacks = [GeneratorEMA(decay=0.9), Checkpointing()]
    make_trainer(tmp_path, task, 4, callbacks).fit(task, datamodule=make_data(image_folder))
    average = callbacks[0].average
    fresh, seen = make_task(), {}

    class Watch(Callback):
        def on_validation_batch_start(self, trainer: Any, task: Any, *args: Any) -> None:
            seen.update(weights(task, "generator"))

    trainer = make_trainer(tmp_path, fresh, 4, [GeneratorEMA(decay=0.9), Watch()])
    path = tmp_path / "checkpoints" / "last.ckpt"
    trainer.validate(fresh, make_data(image_folder), ckpt_path=path, weights_only=True, verbose=False)
    assert all(torch.equal(tensor, average[name]) for name, tensor in seen.items())


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"decay": -0.1}, "decay must be at least 0 and less than 1, got -0.1"),
        ({"decay": 1.0}, "decay must be at least 0 and less than 1, got 1.0"),
        ({"statistics": "running"}, "statistics must be 'averaged' or 'copied', got 'running'"),
        ({"start": -1}, "start must be at least 0, got -1"),
    ],
)
def test_an_argument_out_of_range_is_refused(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        GeneratorEMA(**wrong)


def test_a_part_in_two_places_is_averaged_once_and_keeps_training(tmp_path: Path, image_folder: Path) -> None:
    """Its tensors have two names in the state; validations put the average in their place and take it out again."""
    found: dict[bool, dict[str, torch.Tensor]] = {}
    for average in (False, True):
        task, ema = make_task(), GeneratorEMA(decay=0.6)
        task.generator.again = task.generator.final_norm
        trainer = make_trainer(tmp_path, task, 3, [ema] if average else [], val_check_interval=1)
        trainer.fit(task, datamodule=make_data(image_folder))
        found[average] = {name: tensor.clone() for name, tensor in task.generator.state_dict().items()}
    assert all(torch.equal(tensor, found[False][name]) for name, tensor in found[True].items())
    twice = [name for name in ema.average if name.startswith("again.")]
    assert twice
    assert all(torch.equal(ema.average[name], ema.average[f"final_norm{name[5:]}"]) for name in twice)
    task.generator.load_state_dict(ema.average)
    assert all(torch.equal(task.generator.state_dict()[name], ema.average[name]) for name in ema.average)

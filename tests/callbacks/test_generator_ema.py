"""The average: against a loop, swapped in and out, in the checkpoint at any moment."""

from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning.callbacks import Callback

from callbacks import Checkpointing, GeneratorEMA
from lit_an.errors import InputError
from tests.training import make_data, make_task, make_trainer, weights


class Oracle(Callback):
    """The same average as a loop over tensors in float64."""

    def __init__(self, decay: float) -> None:
        self.decay, self.average = decay, {}

    def on_fit_start(self, trainer: Any, task: Any) -> None:
        self.average = {name: p.detach().double() for name, p in task.generator.named_parameters()}

    def on_train_batch_end(self, trainer: Any, task: Any, *args: Any) -> None:
        decay = min(self.decay, (1 + task.iteration) / (10 + task.iteration))
        for name, parameter in task.generator.named_parameters():
            self.average[name] = decay * self.average[name] + (1 - decay) * parameter.detach().double()


def test_the_average_is_the_formula_and_buffers_are_copies(tmp_path: Path, image_folder: Path) -> None:
    task, ema, oracle = make_task(), GeneratorEMA(decay=0.6), Oracle(0.6)
    make_trainer(tmp_path, task, 8, [ema, oracle]).fit(task, datamodule=make_data(image_folder))
    average = ema.state_dict()["average"]
    assert set(average) == set(task.generator.state_dict())
    for name, expected in oracle.average.items():
        torch.testing.assert_close(average[name].double(), expected, rtol=1e-5, atol=1e-6)
    for name, buffer in task.generator.named_buffers():
        assert torch.equal(average[name], buffer), name
    assert not any(name.startswith("discriminator") for name in average)


def test_it_stands_in_for_validation_and_pictures_and_goes_again(tmp_path: Path, image_folder: Path) -> None:
    task, ema = make_task(), GeneratorEMA(decay=0.9)
    seen: dict[str, torch.Tensor] = {}
    name = "to_image.parametrizations.weight.original"

    class Watch(Callback):
        def on_validation_batch_start(self, trainer: Any, task: Any, *args: Any) -> None:
            seen["validation"] = weights(task, "generator")[name]

    make_trainer(tmp_path, task, 4, [ema, Watch()]).fit(task, datamodule=make_data(image_folder))
    average, live = ema.state_dict()["average"][name], weights(task, "generator")[name]
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
    stored = next(state for key, state in checkpoint["callbacks"].items() if "GeneratorEMA" in key)
    for name, tensor in task.generator.state_dict().items():
        assert torch.equal(checkpoint["state_dict"][f"generator.{name}"], tensor), name
        assert torch.equal(stored["average"][name], ema.state_dict()["average"][name]), name


def test_validate_from_a_checkpoint_uses_the_average(tmp_path: Path, image_folder: Path) -> None:
    task = make_task()
    callbacks = [GeneratorEMA(decay=0.9), Checkpointing()]
    make_trainer(tmp_path, task, 4, callbacks).fit(task, datamodule=make_data(image_folder))
    average = callbacks[0].state_dict()["average"]
    fresh, seen = make_task(), {}

    class Watch(Callback):
        def on_validation_batch_start(self, trainer: Any, task: Any, *args: Any) -> None:
            seen.update(weights(task, "generator"))

    trainer = make_trainer(tmp_path, fresh, 4, [GeneratorEMA(decay=0.9), Watch()])
    path = tmp_path / "checkpoints" / "last.ckpt"
    trainer.validate(fresh, make_data(image_folder), ckpt_path=path, weights_only=True, verbose=False)
    assert all(torch.equal(tensor, average[name]) for name, tensor in seen.items())


@pytest.mark.parametrize("decay", [-0.1, 1.0])
def test_a_decay_out_of_range_is_refused(decay: float) -> None:
    with pytest.raises(InputError, match="decay must be at least 0 and less than 1"):
        GeneratorEMA(decay)

"""Schedules on iterations, alone and in a run."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from callbacks import Checkpointing
from lit_an.errors import InputError
from lit_an.tasks import LinearDecay
from tests.training import make_data, make_task, make_trainer


def test_linear_decay_is_its_formula_for_every_group() -> None:
    parameters = [torch.nn.Parameter(torch.zeros(1)) for _ in range(2)]
    optimizer = torch.optim.SGD([{"params": parameters[:1], "lr": 2.0}, {"params": parameters[1:], "lr": 0.5}])
    schedule = LinearDecay(optimizer, start=3, end=8)
    for iteration in range(12):
        factor = 1 if iteration <= 3 else max(0, (8 - iteration) / 5)
        assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([2 * factor, 0.5 * factor])
        optimizer.step()
        schedule.step()


def test_a_resumed_run_goes_on_along_the_line(tmp_path: Path, image_folder: Path) -> None:
    def rates(folder: Path, iterations: int, checkpoint: Path | None = None) -> Any:
        decay = partial(LinearDecay, start=2, end=6)
        task = make_task(generator_scheduler=decay, discriminator_scheduler=decay)
        trainer = make_trainer(folder, task, iterations, [Checkpointing(every_iterations=3)])
        trainer.fit(task, datamodule=make_data(image_folder), ckpt_path=checkpoint, weights_only=True)
        return [optimizer.param_groups[0]["lr"] for optimizer in task.optimizers()]

    assert rates(tmp_path / "half", 3) == pytest.approx([0.75e-3] * 2)
    assert rates(tmp_path / "on", 5, tmp_path / "half" / "checkpoints" / "last.ckpt") == pytest.approx([0.25e-3] * 2)


@pytest.mark.parametrize(("start", "end"), [(5, 5), (-1, 5)])
def test_an_end_before_the_start_is_refused(start: int, end: int) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))])
    with pytest.raises(InputError, match=f"end must be after start, and start at least 0, got {start} and {end}"):
        LinearDecay(optimizer, start, end)

"""Fused optimizers, which take the loss scale of fp16 off themselves: overflows are counted, gradients clipped."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.plugins.precision import MixedPrecision

from callbacks.loggers.metrics_csv import MetricsCSV
from lit_an.errors import NonFiniteError
from tests.training import logged_rows, make_data, make_task, make_trainer, weights

FUSED_ADAM = partial(torch.optim.Adam, lr=1e-3, betas=(0.0, 0.9), fused=True)


def half(**kwargs: Any) -> MixedPrecision:
    return MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu", **kwargs))


def fit(folder: Path, images: Path, task: Any, iterations: int, *callbacks: Callback, **kwargs: Any) -> None:
    loggers = [MetricsCSV(str(folder))]
    trainer = make_trainer(folder, task, iterations, list(callbacks), logger=loggers, plugins=half(**kwargs))
    trainer.fit(task, datamodule=make_data(images))


def test_overflows_of_fp16_are_counted(tmp_path: Path, image_folder: Path) -> None:
    task = make_task(optimizer=FUSED_ADAM)
    before = weights(task, "generator")
    fit(tmp_path, image_folder, task, 14, init_scale=2.0**40)
    counts = [row["train/fp16_overflows"] for row in logged_rows(tmp_path, "train/fp16").values()]
    assert counts[0] >= 1
    assert 2 <= counts[-1] < 28, "the first updates overflow, the last do not"
    assert not all(torch.equal(before[name], now) for name, now in weights(task, "generator").items())


def test_a_loss_scale_that_collapsed_stops(tmp_path: Path, image_folder: Path) -> None:
    class Spoil(Callback):
        def on_before_optimizer_step(self, trainer: Any, task: Any, optimizer: Any) -> None:
            if optimizer is trainer.optimizers[0]:
                next(task.generator.parameters()).grad.fill_(torch.nan)  # type: ignore[union-attr]

    with pytest.raises(NonFiniteError, match="generator has made no update in 40 attempts up to iteration 40"):
        fit(tmp_path, image_folder, make_task(optimizer=FUSED_ADAM), 99, Spoil())


@pytest.mark.parametrize("fused", [True, False])
def test_the_gradients_that_are_clipped_are_without_the_loss_scale(
    fused: bool, tmp_path: Path, image_folder: Path
) -> None:
    """A step of plain descent with rate 1 is as long as the limit, if the gradient is longer."""
    limit = 1e-3
    task = make_task(optimizer=partial(torch.optim.SGD, lr=1.0, fused=fused), gradient_clip_norm=limit)
    before = weights(task, "generator")
    fit(tmp_path, image_folder, task, 1, init_scale=2.0**10)
    moved = torch.cat([(now - before[name]).flatten() for name, now in weights(task, "generator").items()])
    assert moved.norm() == pytest.approx(limit, rel=1e-2)

"""Metrics of a network whose images are not finite: a warning in a training, a refusal else, in all processes."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning.callbacks import Callback

from callbacks import GenerationMetrics, InpaintingMetrics, MetricsCSV
from lit_an.errors import InputError
from tests.metrics.small_extractor import save_small_extractor
from tests.training import (
    logged_rows,
    make_data,
    make_inpainting_task,
    make_photographs,
    make_task,
    make_trainer,
    run_in_two_processes,
)

SENTENCE = "the network makes images that are not finite numbers"


def spoil(task: Any) -> None:
    """Makes a bias of the generator NaN: its weights are NaN only where they are read, in all images."""
    with torch.no_grad():
        next(p for name, p in task.generator.named_parameters() if name.endswith("bias")).fill_(float("nan"))


class Spoil(Callback):
    def on_validation_start(self, trainer: Any, task: Any) -> None:
        if task.iteration == 2:
            spoil(task)


def kinds(tmp_path: Path, image_folder: Path, kind: str, **kwargs: Any) -> tuple[Any, Any, Any]:
    path = save_small_extractor(tmp_path / "small.pt")
    shared: dict[str, Any] = {
        "extractor": "torchscript",
        "extractor_kwargs": {"path": path, "image_size": 32},
        "cache_dir": str(tmp_path / "cache"),
    }
    if kind == "generation":
        return make_task(**kwargs), make_data(image_folder), GenerationMetrics(num_images=12, **shared)
    metrics = InpaintingMetrics(lpips=None, baselines=[], **shared)
    return make_inpainting_task(**kwargs), make_photographs(image_folder), metrics


@pytest.mark.parametrize("kind", ["generation", "inpainting"])
def test_a_training_that_ignores_them_goes_on_without_figures(kind: str, tmp_path: Path, image_folder: Path) -> None:
    task, data, metrics = kinds(tmp_path, image_folder, kind, non_finite="ignore")
    trainer = make_trainer(
        tmp_path, task, 3, [Spoil(), metrics], val_check_interval=1, logger=MetricsCSV(str(tmp_path))
    )
    with pytest.warns(UserWarning, match=f"no figures at iteration 2: {SENTENCE}"):
        trainer.fit(task, datamodule=data)
    assert task.iteration == 3
    assert sorted(path.name for path in tmp_path.glob("metrics_val*.json")) == ["metrics_val_0000001.json"]
    assert list(logged_rows(tmp_path, "val/fid")) == [1]


@pytest.mark.parametrize("stage", ["validate", "test"])
@pytest.mark.parametrize("kind", ["generation", "inpainting"])
def test_validate_and_test_refuse_them(kind: str, stage: str, tmp_path: Path, image_folder: Path) -> None:
    task, data, metrics = kinds(tmp_path, image_folder, kind)
    spoil(task)
    trainer = make_trainer(tmp_path, task, 1, [metrics], limit_test_batches=1)
    if stage == "test":
        data.test_dataloader, dataset = data.val_dataloader, data.dataset
        data.dataset = lambda split: dataset("val")
    with pytest.raises(InputError, match=SENTENCE):
        getattr(trainer, stage)(task, datamodule=data, verbose=False)
    assert list(tmp_path.glob("metrics_*.json")) == []


def _measure(rank: int, port: str, folder: str, images: str) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "LOCAL_RANK": str(rank), "NODE_RANK": "0"}
    torch.set_num_threads(1)
    task, data, metrics = kinds(Path(folder, str(rank)), Path(images), "generation")
    generate = task.generate

    def generated(label: torch.Tensor, seed: torch.Tensor) -> torch.Tensor:
        # One image of one process.
        return generate(label, seed) * (float("nan") if rank == 1 and 1 in seed.tolist() else 1)

    task.generate = generated
    trainer = make_trainer(Path(folder), task, 1, [metrics], devices=2, strategy="ddp", limit_val_batches=1)
    try:
        trainer.validate(task, datamodule=data, verbose=False)
    except InputError as error:
        Path(folder, f"said_{rank}").write_text(str(error))


def test_all_processes_refuse_when_one_has_them(tmp_path: Path, image_folder: Path) -> None:
    for rank in range(2):
        (tmp_path / str(rank)).mkdir()
    run_in_two_processes(_measure, str(tmp_path), str(image_folder))
    for rank in range(2):
        assert SENTENCE in (tmp_path / f"said_{rank}").read_text()

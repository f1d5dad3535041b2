"""In a validation, all processes evaluate the networks that a checkpoint holds, running statistics included."""

import os
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.callbacks import Callback

from callbacks import GeneratorEMA
from tests.training import make_data, make_task, make_trainer, run_in_two_processes


class Keep(Callback):
    """Keeps the buffers of both networks at the first batch of a validation."""

    def __init__(self) -> None:
        self.kept: dict[str, torch.Tensor] = {}

    def on_validation_batch_start(self, trainer: Any, task: Any, *args: Any) -> None:
        self.kept = {name: buffer.clone() for name, buffer in task.named_buffers()}


def _validate(rank: int, port: str, folder: str, images: str) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "LOCAL_RANK": str(rank), "NODE_RANK": "0"}
    os.environ["WORLD_SIZE"] = "2"
    task, keep = make_task(), Keep()
    trainer = make_trainer(
        Path(folder), task, 2, [GeneratorEMA(0.9), keep], val_check_interval=2, devices=2, strategy="ddp"
    )
    trainer.fit(task, datamodule=make_data(Path(images), batch_size=2))
    torch.save(keep.kept, Path(folder, f"{rank}.pt"))


def test_running_statistics_are_those_of_the_first_process(tmp_path: Path, image_folder: Path) -> None:
    run_in_two_processes(_validate, str(tmp_path), str(image_folder))
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    statistics = [name for name in first if name.endswith("running_mean") and name.startswith("generator")]
    assert statistics
    assert any(first[name].abs().max() > 0 for name in statistics)
    torch.testing.assert_close(first, second, rtol=0, atol=0)

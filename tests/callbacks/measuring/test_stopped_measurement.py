"""A stop signal in the middle of a long measurement: saved at once, and made up by the resumed run."""

import os
import signal
from pathlib import Path
from typing import Any

import torch

from callbacks import Checkpointing, GenerationMetrics, GeneratorEMA, MetricsCSV
from tests.metrics.small_extractor import save_small_extractor
from tests.training import logged_rows, make_data, make_task, make_trainer


class StoppedMetrics(GenerationMetrics):
    """Gets a signal with the features of the second batch of generated images."""

    asked = False

    def _seen(self, task: Any, label: torch.Tensor, seed: torch.Tensor) -> Any:
        if self.asked and int(seed[0]) > 0:
            self.asked = False
            os.kill(os.getpid(), signal.SIGTERM)
        return super()._seen(task, label, seed)


def train(folder: Path, images: Path, iterations: int, asked: bool = False) -> Checkpointing:
    task, checkpointing = make_task(), Checkpointing(every_iterations=0)
    extractor = {"path": save_small_extractor(folder.parent / "small.pt"), "image_size": 32}
    metrics = StoppedMetrics(
        num_images=12,
        batch_size=2,
        extractor="torchscript",
        extractor_kwargs=extractor,  # type: ignore[arg-type]
        statistics="standing",
        standing_passes=1,
        cache_dir=str(folder.parent / "cache"),
    )
    metrics.asked = asked
    trainer = make_trainer(
        folder,
        task,
        iterations,
        [GeneratorEMA(0.9), metrics, checkpointing],
        val_check_interval=2,
        logger=MetricsCSV(str(folder)),
    )
    last = folder / "checkpoints" / "last.ckpt"
    trainer.fit(task, datamodule=make_data(images), ckpt_path=last if last.is_file() else None, weights_only=True)
    return checkpointing


def test_it_is_broken_off_and_made_up(tmp_path: Path, image_folder: Path) -> None:
    straight, stopped = tmp_path / "straight", tmp_path / "stopped"
    train(straight, image_folder, 5)
    checkpointing = train(stopped, image_folder, 5, asked=True)
    assert checkpointing.stopped_by == signal.SIGTERM
    assert [path.name for path in stopped.glob("checkpoints/iteration_*")] == ["iteration_0000002.ckpt"]
    assert logged_rows(stopped, "val/") == {}
    train(stopped, image_folder, 5)
    assert logged_rows(stopped, "") == logged_rows(straight, "")
    assert len(logged_rows(stopped, "val/fid")) == 3
    first, second = (
        torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True) for folder in (straight, stopped)
    )
    for part in ("state_dict", "optimizer_states"):
        torch.testing.assert_close(first[part], second[part], rtol=0, atol=0)
    torch.testing.assert_close(first["lit_an"]["average"], second["lit_an"]["average"], rtol=0, atol=0)

"""Images that a trainer predicts, to files."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import BasePredictionWriter
from torch import Tensor

from lit_an.batch import SampleRequest
from lit_an.panels import to_uint8, write_png
from lit_an.tasks.class_conditional import ClassConditionalGAN


class SampleWriter(BasePredictionWriter):
    """Writes what a trainer's ``predict`` generates to ``<run folder>/predictions/<class>/<seed>.png``.

    For Python code that has a trainer and data at hand; the command ``predict`` needs neither.
    """

    def __init__(self) -> None:
        super().__init__(write_interval="batch")

    def write_on_batch_end(  # type: ignore[override]
        self,
        trainer: pl.Trainer,
        task: ClassConditionalGAN,
        prediction: Tensor,
        batch_indices: Any,
        batch: SampleRequest,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        folder = Path(trainer.default_root_dir, "predictions")
        for image, label, seed in zip(prediction, batch.label.tolist(), batch.seed.tolist(), strict=True):
            write_png(folder / task.class_names[label] / f"{seed:05d}.png", to_uint8(image))

"""Sample grids over time."""

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from callbacks.image_logging import log_image
from lit_an.errors import InputError
from lit_an.panels import sample_grid
from lit_an.tasks.adversarial import AdversarialTask


class SampleGridLogger(Callback):
    """Logs a grid of samples of fixed inputs, one row a class, with averaged weights where there are any.

    Args:
        every_iterations: iterations from one grid to the next, ≥ 1; one more at the end of training.
        columns: samples in a row, ≥ 1.
        rows: at most so many rows, ≥ 1; of more classes, some spread evenly are shown.

    Raises:
        InputError: a number below 1.
    """

    def __init__(self, every_iterations: int = 500, columns: int = 8, rows: int = 16) -> None:
        if min(every_iterations, columns, rows) < 1:
            raise InputError("SampleGridLogger: every_iterations, columns and rows must be at least 1")
        self.every_iterations, self.columns, self.rows = every_iterations, columns, rows
        self._logged_at = -1

    def on_train_batch_end(
        self, trainer: pl.Trainer, task: AdversarialTask, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if task.iteration % self.every_iterations == 0:
            self._log(trainer, task)

    def on_train_end(self, trainer: pl.Trainer, task: AdversarialTask) -> None:
        self._log(trainer, task)

    def _log(self, trainer: pl.Trainer, task: AdversarialTask) -> None:
        if not trainer.is_global_zero or self._logged_at == task.iteration:
            return
        preview = task.preview(self.columns, self.rows)
        log_image(trainer, "samples", sample_grid(preview.images, preview.row_names), task.iteration)
        self._logged_at = task.iteration

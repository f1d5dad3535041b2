"""Grids of samples over time."""

import pytorch_lightning as pl

from callbacks.image_logging import PictureLogger
from lit_an.errors import InputError
from lit_an.panels import sample_grid
from lit_an.tasks.adversarial import AdversarialTask


class SampleGridLogger(PictureLogger):
    """Logs a grid of samples of fixed inputs, one row a class, with averaged weights where there are any.

    Args:
        every_iterations: iterations between grids, ≥ 1; one more at the end of training.
        early: also after 10, 20, 50, 100, 200, 500, … iterations, up to ``every_iterations``.
        columns: samples in a row, ≥ 1.
        rows: largest number of rows, ≥ 1; of more classes, an evenly spread subset is shown.

    Raises:
        InputError: a number below 1.
    """

    folder = "samples"

    def __init__(self, every_iterations: int = 500, columns: int = 8, rows: int = 16, early: bool = True) -> None:
        super().__init__(every_iterations, early)
        if min(columns, rows) < 1:
            raise InputError(f"SampleGridLogger: columns and rows must be at least 1, got {columns} and {rows}")
        self.columns, self.rows = columns, rows

    def log_pictures(self, trainer: pl.Trainer, task: AdversarialTask) -> None:
        preview = task.preview(self.columns, self.rows)
        self.log_image(trainer, "samples", sample_grid(preview.images, preview.row_names), task.iteration)

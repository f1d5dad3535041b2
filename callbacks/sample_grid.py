"""Grids of samples over time, and one of real images beside them."""

from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning.utilities.rank_zero import rank_zero_warn

from callbacks.image_logging import PictureLogger
from callbacks.loggers import Picture, show_picture
from callbacks.real_images import real_images
from lit_an.errors import InputError
from lit_an.pictures.panels import sample_grid, write_png
from lit_an.tasks.adversarial import AdversarialTask

REALS = "reals.png"


class SampleGridLogger(PictureLogger):
    """Logs a grid of samples of fixed inputs, one row a class, with averaged weights where there are any.

    Once per run, ``reals.png`` in the run folder shows real images in the same layout.

    Args:
        every_iterations: iterations between grids, ≥ 1; one more at the end of training.
        early: also after 0, 1, 2, 5, 10, 20, 50, 100, … iterations, up to ``every_iterations``.
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

    def begin(self, trainer: pl.Trainer, task: AdversarialTask) -> None:
        """Writes the real images; a resumed run that has them keeps them."""
        path = Path(trainer.default_root_dir, REALS)
        if task.iteration > 0 and path.is_file():
            return
        try:
            found = real_images(trainer, task, self.columns, self.rows)
            if found is None:
                return
            grid = sample_grid(found.images, found.row_names, found.column_names, f"real images, {found.split} split")
        except InputError as error:
            rank_zero_warn(f"{error}; the run goes on without {REALS}", category=UserWarning)
            return
        picture = Picture("reals", task.iteration, grid, path)

        def write() -> None:
            write_png(path, grid)
            show_picture(trainer, picture)

        self.write_later(write)

    def log_pictures(self, trainer: pl.Trainer, task: AdversarialTask) -> None:
        preview = task.preview(self.columns, self.rows)
        names = (preview.row_names, preview.column_names)
        self.log_image(
            trainer, "samples", sample_grid(preview.images, *names, self.footer(trainer, task)), task.iteration
        )

"""Panels of an inpainting generator's stages over time."""

import pytorch_lightning as pl

from callbacks.image_logging import PictureLogger
from lit_an.errors import InputError
from lit_an.panels import inpainting_panel
from lit_an.tasks.adversarial import AdversarialTask
from lit_an.tasks.inpainting import InpaintingGAN


class InpaintingPanelLogger(PictureLogger):
    """Logs a panel of the same held-out images and holes: ground truth, erased, coarse, fine, composite.

    With averaged weights where there are any.

    Args:
        every_iterations: iterations between panels, ≥ 1; one more at the end of training.
        early: also after 10, 20, 50, 100, 200, 500, … iterations, up to ``every_iterations``.
        rows: images, one a row, ≥ 1.

    Raises:
        InputError: a number below 1; when the run starts, a task that does not inpaint.
    """

    folder = "inpainting"

    def __init__(self, every_iterations: int = 500, rows: int = 8, early: bool = True) -> None:
        super().__init__(every_iterations, early)
        if rows < 1:
            raise InputError(f"InpaintingPanelLogger: rows must be at least 1, got {rows}")
        self.rows = rows

    def on_train_start(self, trainer: pl.Trainer, task: AdversarialTask) -> None:
        if not isinstance(task, InpaintingGAN):
            raise InputError(
                f"InpaintingPanelLogger needs a task that fills holes, and {type(task).__name__} does not; "
                f"use SampleGridLogger"
            )

    def log_pictures(self, trainer: pl.Trainer, task: AdversarialTask) -> None:
        assert isinstance(task, InpaintingGAN)
        batch, made = task.inpainted_preview(self.rows)
        panel = inpainting_panel(batch.image, batch.mask, made.coarse, made.fine)
        self.log_image(trainer, "inpainting", panel, task.iteration)

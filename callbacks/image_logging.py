"""When a picture is made, and where it goes: a PNG in the run folder, and every logger that takes pictures."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import TensorBoardLogger
from torch import Tensor

from lit_an.errors import InputError
from lit_an.panels import write_png
from lit_an.tasks.adversarial import AdversarialTask


class PictureLogger(Callback):
    """Base of callbacks that look at the task every so many iterations and once at the end, in the first process.

    A subclass implements ``look``.

    Args:
        every_iterations: iterations from one look to the next, ≥ 1.

    Raises:
        InputError: a number below 1.
    """

    def __init__(self, every_iterations: int) -> None:
        if every_iterations < 1:
            raise InputError(f"{type(self).__name__}: every_iterations must be at least 1, got {every_iterations}")
        self.every_iterations = every_iterations
        self._logged_at = -1

    def look(self, trainer: pl.Trainer, task: AdversarialTask) -> None:
        """Looks at the task now."""
        raise NotImplementedError

    def on_train_batch_end(
        self, trainer: pl.Trainer, task: AdversarialTask, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if task.iteration % self.every_iterations == 0:
            self._log_once(trainer, task)

    def on_train_end(self, trainer: pl.Trainer, task: AdversarialTask) -> None:
        self._log_once(trainer, task)

    def _log_once(self, trainer: pl.Trainer, task: AdversarialTask) -> None:
        if trainer.is_global_zero and self._logged_at != task.iteration:
            self.look(trainer, task)
            self._logged_at = task.iteration


def log_image(trainer: pl.Trainer, tag: str, image: Tensor, iteration: int) -> Path:
    """Writes ``<run folder>/<tag>/iteration_0000500.png`` and shows the picture in TensorBoard under ``tag``.

    Args:
        trainer: its ``default_root_dir`` is the run folder.
        tag: folder of the picture below the run folder, such as ``samples``.
        image: (3, H, W), uint8.
        iteration: generator iterations done.

    Returns:
        The file.
    """
    path = Path(trainer.default_root_dir, tag, f"iteration_{iteration:07d}.png")
    write_png(path, image)
    for logger in trainer.loggers:
        if isinstance(logger, TensorBoardLogger):
            logger.experiment.add_image(tag, image, iteration)
    return path

"""Where a picture goes: a PNG in the run folder, and every logger that takes pictures."""

from pathlib import Path

import pytorch_lightning as pl
from PIL import Image
from pytorch_lightning.loggers import TensorBoardLogger
from torch import Tensor

from lit_an.files import replacing


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


def write_png(path: Path, image: Tensor) -> None:
    """Writes a (3, H, W) uint8 picture."""
    with replacing(path) as temporary:
        Image.fromarray(image.cpu().permute(1, 2, 0).contiguous().numpy()).save(temporary, format="PNG")

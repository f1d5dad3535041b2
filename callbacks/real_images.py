"""Real images to show beside samples, in the same layout."""

from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from torch import Tensor

from lit_an.tasks.adversarial import AdversarialTask
from lit_an.tasks.class_conditional import ClassConditionalGAN
from lit_an.tasks.inpainting import InpaintingGAN


class RealImages(NamedTuple):
    """Real images for a grid.

    Attributes:
        images: (B, 3, H, W), float32 in [-1, 1], row after row.
        row_names: one for each row.
        column_names: one for each column, or nothing.
        split: where they are from.
    """

    images: Tensor
    row_names: list[str]
    column_names: list[str]
    split: str


def real_images(trainer: pl.Trainer, task: AdversarialTask, columns: int, rows: int) -> RealImages | None:
    """The images that belong to a task's preview of this size.

    For classes: training images of the same classes, evenly spread over those of each; white in the place of images
    that a class does not have. For inpainting: the same images, whole.

    Args:
        trainer: its data module has the images.
        task: whose preview it is.
        columns, rows: see ``AdversarialTask.preview``.

    Returns:
        None for a task or a data module of another kind.

    Raises:
        InputError: an image cannot be read.
    """
    if isinstance(task, InpaintingGAN):
        batch, names = task.preview_images(columns)
        return RealImages(batch.image, ["val"], names, "val")
    data: Any = getattr(trainer, "datamodule", None)
    dataset = data.dataset("train") if hasattr(data, "dataset") else None
    if not isinstance(task, ClassConditionalGAN) or not hasattr(dataset, "label"):
        return None
    classes = task.preview_classes(rows)
    images = [image for label in classes for image in _of_class(dataset, label, columns)]
    blank = torch.ones_like(next(image for image in images if image is not None))
    shown = torch.stack([blank if image is None else image for image in images])
    return RealImages(shown, [task.class_names[label] for label in classes], [], "train")


def _of_class(dataset: Any, label: int, count: int) -> list[Tensor | None]:
    """So many images of a class, evenly spread; None where it has fewer."""
    positions = (dataset.label == label).nonzero().flatten()
    kept = min(count, len(positions))
    chosen = [int(positions[number * len(positions) // kept]) for number in range(kept)]
    return [dataset[position].image for position in chosen] + [None] * (count - kept)

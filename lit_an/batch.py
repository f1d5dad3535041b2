"""Batches and network outputs: the types that data modules, networks and tasks share.

Conventions: images are float32 in [-1, 1], channels first; labels are int64 class indices; a
``regions`` map holds int64 ground-truth region indices per pixel; a ``mask`` is float32, 0 or 1, and 1 is hole.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

Item = TypeVar("Item", bound=tuple[Any, ...])


class ClassBatch(NamedTuple):
    """Labeled images.

    Attributes:
        image: (B, 3, H, W), float32 in [-1, 1].
        label: (B,), int64, 0 ≤ label < number of classes.
        regions: (B, H, W), int64, ground-truth region of each pixel, or None where a data set has none.
    """

    image: Tensor
    label: Tensor
    regions: Tensor | None = None


class InpaintingBatch(NamedTuple):
    """Images and the holes to make in them.

    Attributes:
        image: (B, 3, H, W), float32 in [-1, 1], whole.
        mask: (B, 1, H, W), float32, 1 = hole, 0 = known.
        regions: (B, H, W), int64, ground-truth region of each pixel, or None where a data set has none.
    """

    image: Tensor
    mask: Tensor
    regions: Tensor | None = None


class Inpainted(NamedTuple):
    """Output of an inpainting generator; neither image is composited with the known pixels.

    Attributes:
        coarse: (B, 3, H, W), in [-1, 1]; the first stage.
        fine: (B, 3, H, W), in [-1, 1]; the last stage.
    """

    coarse: Tensor
    fine: Tensor


class CriticOutput(NamedTuple):
    """Output of one critic.

    Attributes:
        logits: (B, …); larger is more real.
        features: intermediate feature maps, shallow to deep, for feature matching.
    """

    logits: Tensor
    features: tuple[Tensor, ...] = ()


class Draw(NamedTuple):
    """One draw of a training sampler: the item, and the seed of all its random choices.

    An augmentation that takes its randomness from ``seed`` is the same for any number of data-loader workers
    and ranks, and after a resume.

    Attributes:
        index: position in the data set.
        seed: 63-bit, distinct for each draw of a run.
    """

    index: int  # type: ignore[assignment]  # hides tuple.index, of no use here
    seed: int


def collate(items: Sequence[Item]) -> Item:
    """Stacks single items, named tuples of tensors without the batch dimension, into a batch; None stays None.

    Example:
        >>> item = ClassBatch(torch.zeros(3, 4, 4), torch.tensor(1))
        >>> collate([item, item]).image.shape
        torch.Size([2, 3, 4, 4])
    """
    stacked: list[Any] = [None if field[0] is None else torch.stack(field) for field in zip(*items, strict=True)]
    return type(items[0])(*stacked)

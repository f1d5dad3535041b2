"""What travels from a data set to a task: the only types both sides know.

Conventions everywhere: images are float32 in [-1, 1], channels first; labels are int64 class indices; a
``regions`` map holds int64 ground-truth region indices per pixel.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class ClassBatch(NamedTuple):
    """Labelled images.

    Attributes:
        image: (B, 3, H, W), float32 in [-1, 1].
        label: (B,), int64, 0 ≤ label < number of classes.
        regions: (B, H, W), int64, ground-truth region of each pixel, or None where a data set has none.
    """

    image: Tensor
    label: Tensor
    regions: Tensor | None = None


class SampleRequest(NamedTuple):
    """A request for generated images, one per entry.

    Attributes:
        label: (B,), int64, the class to generate.
        seed: (B,), int64, the seed of that image's latent; an image is a function of (label, seed) alone,
            whatever the batch it is generated in.
    """

    label: Tensor
    seed: Tensor


class Draw(NamedTuple):
    """One draw of a training sampler: which item, and the seed of everything random about it.

    An augmentation that takes its randomness from ``seed`` is the same for any number of data-loader workers
    and ranks, and after a resume.

    Attributes:
        index: position in the data set.
        seed: 63-bit, distinct for each draw of a run.
    """

    index: int  # type: ignore[assignment]  # hides tuple.index, of no use here
    seed: int


def collate(items: list[ClassBatch]) -> ClassBatch:
    """Stacks single items, whose tensors lack the batch dimension, into a batch.

    Example:
        >>> item = ClassBatch(torch.zeros(3, 4, 4), torch.tensor(1))
        >>> collate([item, item]).image.shape
        torch.Size([2, 3, 4, 4])
    """
    images, labels, regions = zip(*items, strict=True)
    stacked_regions = None if regions[0] is None else torch.stack(regions)
    return ClassBatch(torch.stack(images), torch.stack(labels), stacked_regions)

"""The training images nearest to a sample, which show whether the generator memorizes."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from lit_an.batch import ClassBatch, collate
from lit_an.errors import InputError

_SIDE = 32


class Neighbors(NamedTuple):
    """The images of a data set nearest to each of B samples, the nearest first.

    Attributes:
        index: (B, K), int64, positions in the data set.
        distance: (B, K), root mean square difference of pixels in [-1, 1].
        image: (B, K, 3, H, W), the images.
    """

    index: Tensor  # type: ignore[assignment]  # hides tuple.index, of no use here
    distance: Tensor
    image: Tensor


def nearest_neighbors(
    samples: Tensor, dataset: Dataset[ClassBatch], count: int = 5, batch_size: int = 256, num_workers: int = 0
) -> Neighbors:
    """Searches a data set in pixel space: images reduced to 32 px, original and mirrored.

    Pixel distance finds memorized images, not perceptually similar ones. Mirrored images are included, since training
    mirrors images.

    Args:
        samples: (B, 3, H, W), in [-1, 1].
        dataset: images of the same size, indexed by ``int``.
        count: K, neighbors of each.
        batch_size: images compared at once.
        num_workers: loader processes.

    Raises:
        InputError: fewer images than neighbors, or images of another size.
    """
    total = len(dataset)  # type: ignore[arg-type]
    if not 1 <= count <= total:
        raise InputError(f"{count} neighbors cannot be found among {total} images")
    queries = torch.cat([_pixels(samples), _pixels(samples.flip(3))])
    distance = torch.full((len(samples), count), torch.inf)
    index = torch.zeros(len(samples), count, dtype=torch.int64)
    start = 0
    for batch in DataLoader(dataset, batch_size, collate_fn=collate, num_workers=num_workers):
        if batch.image.shape[1:] != samples.shape[1:]:
            shapes = f"{tuple(batch.image.shape[1:])}, the samples {tuple(samples.shape[1:])}"
            raise InputError(f"neighbors: the data's images have the shape {shapes}")
        there = torch.cdist(queries, _pixels(batch.image)).unflatten(0, (2, -1)).amin(0)  # (B, images)
        candidates = torch.cat([distance, there], 1)
        indices = torch.cat([index, torch.arange(start, start + there.shape[1]).expand(len(samples), -1)], 1)
        distance, order = candidates.topk(count, largest=False)
        index = indices.gather(1, order)
        start += there.shape[1]
    images = torch.stack([torch.stack([dataset[item].image for item in row]) for row in index.tolist()])
    return Neighbors(index, distance / queries.shape[1] ** 0.5, images)


def _pixels(images: Tensor) -> Tensor:
    """(B, D), the pixels of images at most 32 px wide."""
    side = min(_SIDE, images.shape[-1])
    return F.adaptive_avg_pool2d(images.float(), side).flatten(1)

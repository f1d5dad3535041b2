"""Looking at a data set before it is trained on: labels, readable images, small ones, images in two splits."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from lit_an.batch import ClassBatch
from lit_an.data.image_folder import FolderImages
from lit_an.errors import InputError


class Finding(NamedTuple):
    """What was found of one image.

    Attributes:
        label: its class, or -1 where it cannot be read.
        complaint: why it cannot be used, or nothing.
        small: whether its file is smaller than what it is resized to.
    """

    label: int
    complaint: str
    small: bool


class Findings(Dataset[Finding]):
    """Reads images and says what is wrong with them, never raising for a bad one.

    Args:
        images: a split of a data module.
        chosen: which of its items to look at.
        image_size: side that they should have.
    """

    def __init__(self, images: Dataset[ClassBatch], chosen: Sequence[int], image_size: int) -> None:
        self.images, self.chosen, self.image_size = images, chosen, image_size

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, index: int) -> Finding:
        item = self.chosen[index]
        try:
            image, label, _ = self.images[item]
        except InputError as error:
            return Finding(-1, str(error), False)
        side = self.image_size
        if tuple(image.shape) != (3, side, side):
            return Finding(int(label), f"image {item} is {tuple(image.shape)}, not (3, {side}, {side})", False)
        if image.min() < -1.0 or image.max() > 1.0:
            return Finding(int(label), f"image {item} leaves the range -1 … 1", False)
        return Finding(int(label), "", self._small(item))

    def _small(self, item: int) -> bool:
        if not isinstance(self.images, FolderImages):
            return False
        with Image.open(self.images.folder / self.images.paths[item]) as file:
            return min(file.size) < self.image_size


def sample_of(length: int, sample: int | None) -> list[int]:
    """``sample`` positions spread over all, or all of them, the same each time.

    Example:
        >>> sample_of(10, 3)
        [0, 4, 9]
    """
    if sample is None or sample >= length:
        return list(range(length))
    if sample == 1:
        return [0]
    return [position * (length - 1) // (sample - 1) for position in range(sample)]


def inspect(
    images: Dataset[ClassBatch], image_size: int, sample: int | None, num_workers: int, title: str
) -> list[Finding]:
    """Looks at a sample of a split, or at all of it, with loader processes.

    Args:
        images: the split.
        image_size: side that images should have.
        sample: how many, spread over the split; None looks at all.
        num_workers: loader processes.
        title: of the progress bar.
    """
    findings = Findings(images, sample_of(len(images), sample), image_size)  # type: ignore[arg-type]
    loader = DataLoader(findings, batch_size=16, num_workers=num_workers, collate_fn=list)
    # disable=None: a bar on a terminal, nothing in a log file.
    return [finding for batch in tqdm(loader, title, disable=None) for finding in batch]


def overlap(first: Dataset[ClassBatch], second: Dataset[ClassBatch], sample: int | None) -> tuple[int, int]:
    """How many images of ``second`` are in ``first`` too, byte for byte, and of how many that were looked at.

    Files are compared by size first, so that only those that may be equal are read.

    Args:
        first: all of it is compared.
        second: a sample of it is.
        sample: how many; None takes all.
    """
    chosen = sample_of(len(second), sample)  # type: ignore[arg-type]
    if isinstance(first, FolderImages) and isinstance(second, FolderImages):
        return _files_in_both(first, second, chosen), len(chosen)
    seen = {_digest(first[index]) for index in range(len(first))}  # type: ignore[arg-type]
    return sum(_digest(second[index]) in seen for index in chosen), len(chosen)


def same_images(first: Dataset[ClassBatch], second: Dataset[ClassBatch]) -> bool:
    """Whether two splits are one, by their length and three of their images: ``test`` is often ``val``."""
    length = len(first)  # type: ignore[arg-type]
    if length != len(second):  # type: ignore[arg-type]
        return False
    try:
        return all(_digest(first[index]) == _digest(second[index]) for index in sample_of(length, 3))
    except InputError:
        return False


def _files_in_both(first: FolderImages, second: FolderImages, chosen: Sequence[int]) -> int:
    by_size = defaultdict(list)
    for index in chosen:
        path = second.folder / second.paths[index]
        by_size[os.path.getsize(path)].append(path)
    found: dict[Any, bool] = {}
    same_size = defaultdict(set)
    for name in first.paths:
        path = first.folder / name
        size = os.path.getsize(path)
        if size in by_size and size > 0:
            same_size[size].add(hashlib.blake2b(path.read_bytes()).digest())
    for size, paths in by_size.items():
        found |= {path: hashlib.blake2b(path.read_bytes()).digest() in same_size[size] for path in paths}
    return sum(found.values())


def _digest(item: ClassBatch) -> bytes:
    return hashlib.blake2b(item.image.mul(127.5).to(torch.int16).numpy().tobytes()).digest()

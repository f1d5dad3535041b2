"""Looking at a data set before it is trained on: readable images, labels or holes, images in two splits."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from lit_an.batch import ClassBatch, InpaintingBatch
from lit_an.errors import InputError

Item = ClassBatch | InpaintingBatch


@runtime_checkable
class OfFiles(Protocol):
    """A split whose images may have files of their own."""

    def file(self, index: int) -> Path | None: ...


class Finding(NamedTuple):
    """What was found of one image.

    Attributes:
        label: its class, or -1 where it has none or cannot be read.
        complaint: why it cannot be used, or nothing.
        small: whether its file is smaller than what it is resized to.
        hole: share of the image that is hole, or -1 where it has none.
    """

    label: int
    complaint: str
    small: bool
    hole: float = -1.0


class Findings(Dataset[Finding]):
    """Reads images and says what is wrong with them, never raising for a bad one.

    Args:
        images: a split of a data module.
        chosen: which of its items to look at.
        image_size: side that they should have.
    """

    def __init__(self, images: Dataset[Item], chosen: Sequence[int], image_size: int) -> None:
        self.images, self.chosen, self.image_size = images, chosen, image_size

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, index: int) -> Finding:
        number = self.chosen[index]
        try:
            item = self.images[number]
        except InputError as error:
            return Finding(-1, str(error), False)
        label = int(item.label) if isinstance(item, ClassBatch) else -1
        hole = float(item.mask.mean()) if isinstance(item, InpaintingBatch) else -1.0
        complaint = self._complaint(item)
        return Finding(label, complaint and f"image {number} {complaint}", self._small(number), hole)

    def _complaint(self, item: Item) -> str:
        side = self.image_size
        if tuple(item.image.shape) != (3, side, side):
            return f"is {tuple(item.image.shape)}, not (3, {side}, {side})"
        if item.image.min() < -1.0 or item.image.max() > 1.0:
            return "leaves the range -1 … 1"
        return _complaint_of_mask(item.mask, side) if isinstance(item, InpaintingBatch) else ""

    def _small(self, number: int) -> bool:
        path = file_of(self.images, number)
        if path is None:
            return False
        with Image.open(path) as file:
            return min(file.size) < self.image_size


def file_of(images: Dataset[Item], index: int) -> Path | None:
    """The file of an image, if it has one of its own."""
    return images.file(index) if isinstance(images, OfFiles) else None


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


def inspect(images: Dataset[Item], image_size: int, sample: int | None, num_workers: int, title: str) -> list[Finding]:
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


def overlap(first: Dataset[Item], second: Dataset[Item], sample: int | None) -> tuple[int, int]:
    """How many images of ``second`` are in ``first`` too, byte for byte, and of how many that were looked at.

    Files are compared by size first, so that only those that may be equal are read.

    Args:
        first: all of it is compared.
        second: a sample of it is.
        sample: how many; None takes all.
    """
    chosen = sample_of(len(second), sample)  # type: ignore[arg-type]
    if file_of(first, 0) is not None and file_of(second, 0) is not None:
        return _files_in_both(first, second, chosen), len(chosen)
    seen = {_digest(first[index]) for index in range(len(first))}  # type: ignore[arg-type]
    return sum(_digest(second[index]) in seen for index in chosen), len(chosen)


def same_images(first: Dataset[Item], second: Dataset[Item]) -> bool:
    """Whether two splits are one, by their length and three of their images: ``test`` is often ``val``."""
    length = len(first)  # type: ignore[arg-type]
    if length != len(second):  # type: ignore[arg-type]
        return False
    try:
        return all(_digest(first[index]) == _digest(second[index]) for index in sample_of(length, 3))
    except InputError:
        return False


def _files_in_both(first: Dataset[Item], second: Dataset[Item], chosen: Sequence[int]) -> int:
    by_size = defaultdict(list)
    for path in _files(second, chosen):
        by_size[_size_of(path)].append(path)
    found: dict[Any, bool] = {}
    same_size = defaultdict(set)
    for path in _files(first, range(len(first))):  # type: ignore[arg-type]
        size = _size_of(path)
        if size in by_size and size > 0:
            same_size[size].add(_content_of(path))
    for size, paths in by_size.items():
        found |= {path: size > 0 and _content_of(path) in same_size[size] for path in paths}
    return sum(found.values())


def _size_of(path: Path) -> int:
    """In bytes; 0 of a file that is not there, such as one behind a link: it is in no other split."""
    try:
        return os.path.getsize(path)
    except OSError:
        return 0


def _content_of(path: Path) -> bytes:
    try:
        return hashlib.blake2b(path.read_bytes()).digest()
    except OSError:
        return os.fsencode(path)  # like no other


def _files(images: Dataset[Item], chosen: Sequence[int]) -> Iterator[Path]:
    return (path for index in chosen if (path := file_of(images, index)) is not None)


def _complaint_of_mask(mask: Tensor, side: int) -> str:
    if tuple(mask.shape) != (1, side, side):
        return f"has a mask of {tuple(mask.shape)}, not (1, {side}, {side})"
    if not ((mask == 0) | (mask == 1)).all():
        return "has a mask with other values than 0 and 1"
    if mask.min() == mask.max():
        return f"has a mask that is {'all' if mask.max() else 'no'} hole"
    return ""


def _digest(item: Item) -> bytes:
    return hashlib.blake2b(item.image.mul(127.5).to(torch.int16).numpy().tobytes()).digest()

"""What a source of pictures is: it knows where they are, and nothing of batches, crops or holes."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple

import numpy as np
from PIL import Image
from torch import Tensor

from lit_an.data.cropping import Crop
from lit_an.data.sources.listing import ImageFile, PackedPaths
from lit_an.data.sources.walking import LeftOut
from lit_an.data.transforms import read_image

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")


class Picture(NamedTuple):
    """One picture.

    Attributes:
        image: RGB, of any size; or, where the pixels are at hand, (3, H, W), uint8.
        regions: (H, W), ground-truth region of each pixel, or None where there is none.
    """

    image: Image.Image | Tensor
    regions: np.ndarray | None = None


class Pictures:
    """The pictures of one split by number, in an order that never changes.

    A subclass implements ``__len__``, ``picture`` and ``digest``; ``gather`` where it has a ``side``.

    Attributes:
        folder: where the files lie, or None.
        left_out: what lies there and is not taken.
        side: of all pictures, where they are squares of one size that ``gather`` gives, or None.
    """

    folder: Path | None = None
    left_out: LeftOut = LeftOut()
    side: int | None = None

    def __len__(self) -> int:
        raise NotImplementedError

    def picture(self, index: int, smallest_side: int | None = None) -> Picture:
        """A picture.

        Args:
            index: its number.
            smallest_side: it may be shrunk to about so many pixels; None keeps them all.

        Raises:
            InputError: it cannot be read.
        """
        raise NotImplementedError

    @property
    def labels(self) -> np.ndarray | None:
        """(N,), int64, the class of each picture, or None where there are no classes."""
        return None

    def gather(self, indices: Sequence[int]) -> tuple[Tensor, Tensor | None]:
        """Several pictures at once, where all have one ``side``.

        Returns:
            (B, 3, side, side), uint8, and their regions, (B, side, side), or None.

        Raises:
            InputError: one cannot be read.
        """
        raise NotImplementedError

    def name(self, index: int) -> str:
        """What tables call a picture; no two are called alike."""
        return f"{index:06d}"

    def file(self, index: int) -> Path | None:
        """The file that holds nothing but this picture, if there is one."""
        return None

    def digest(self, index: int) -> str:
        """Of all that a picture is made of: it changes whenever that does."""
        raise NotImplementedError

    def listed(self) -> Iterator[bytes]:
        """A line for each picture: its name and its label, 0 where there are no classes."""
        labels = self.labels
        for index in range(len(self)):
            yield os.fsencode(f"{self.name(index)}\t{0 if labels is None else labels[index]}\n")

    def listing_hash(self) -> str:
        """Says which pictures these are, in which order and of which classes: the same in all processes of a run."""
        digest = hashlib.sha256()
        for line in self.listed():
            digest.update(line)
        return digest.hexdigest()


class FilePictures(Pictures):
    """Image files, decoded when they are asked for.

    Args:
        folder: what the paths are relative to.
        paths: of the files.
        labels: of the files, or None.
        left_out: what lies there and is not taken.
    """

    def __init__(
        self,
        folder: Path,
        paths: Sequence[str],
        labels: Sequence[int] | None = None,
        left_out: LeftOut = LeftOut(),  # noqa: B008, it is a tuple
    ) -> None:
        self.folder: Path = folder
        self.paths, self.left_out = PackedPaths(paths), left_out
        self._labels = None if labels is None else np.asarray(labels, dtype=np.int64)

    @classmethod
    def labeled(
        cls,
        folder: Path,
        files: Sequence[ImageFile],
        left_out: LeftOut = LeftOut(),  # noqa: B008, it is a tuple
    ) -> "FilePictures":
        """Files that have a label each."""
        return cls(folder, [file.path for file in files], [file.label for file in files], left_out)

    def __len__(self) -> int:
        return len(self.paths)

    def picture(self, index: int, smallest_side: int | None = None) -> Picture:
        return Picture(read_image(self.file(index), smallest_side))

    @property
    def labels(self) -> np.ndarray | None:
        return self._labels

    def name(self, index: int) -> str:
        return self.paths[index]

    def file(self, index: int) -> Path:
        return self.folder / self.paths[index]

    def digest(self, index: int) -> str:
        try:
            return hashlib.sha256(self.file(index).read_bytes()).hexdigest()
        except OSError:
            return "unreadable"


class Source:
    """A data set: the pictures of its splits, and their classes if it has any. A subclass implements ``open``.

    Attributes:
        crop, min_scale: what suits its pictures in inpainting; a data module may say otherwise.
    """

    crop: ClassVar[Crop] = "random"
    min_scale: ClassVar[float] = 0.5

    def open(self, split: Split, image_size: int) -> Pictures:
        """The pictures of a split that it has.

        Args:
            split: ``test`` only where ``has_test`` is true.
            image_size: side in pixels of the squares that they will become.

        Raises:
            InputError: the split is missing or empty.
        """
        raise NotImplementedError

    def pictures(self, split: Split, image_size: int) -> Pictures:
        """The pictures of a split; without a ``test`` of its own, ``test`` is ``val``.

        Raises:
            InputError: the split is missing or empty.
        """
        return self.open("val" if split == "test" and not self.has_test else split, image_size)

    @property
    def class_names(self) -> list[str] | None:
        """Names of the classes in the order of their labels, or None where there are no classes."""
        return None

    @property
    def has_test(self) -> bool:
        """Whether ``test`` is not just ``val`` again."""
        return False

    def fetch(self, image_size: int) -> None:
        """Whatever takes long and happens once on each node, such as a download."""

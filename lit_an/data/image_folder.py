"""Any folder of labelled images: one sub-folder per class, with or without a split made beforehand."""

import os
from collections.abc import Sequence
from pathlib import Path

import torch
from torch.utils.data import Dataset

from lit_an.batch import ClassBatch, Draw
from lit_an.data.base import LabelledImages, Split
from lit_an.data.listing import (
    ImageFile,
    PackedPaths,
    check_folder,
    check_fraction,
    instead,
    part_of,
    spell,
)
from lit_an.data.split_folders import split_folders
from lit_an.data.transforms import dequantize, flips, load_square, mirror
from lit_an.data.walking import LeftOut, files_in, sub_folders, walk
from lit_an.errors import InputError
from lit_an.image_files import ENDINGS, is_image

LAYOUT = "one sub-folder of images per class"


class FolderImages(Dataset[ClassBatch]):
    """Image files, decoded when they are asked for.

    Args:
        folder: what the paths are relative to.
        files: the images.
        image_size: side of the square that is cut out of each.
        flip: mirror what a ``Draw`` asks for, if its seed says so.
        noise: dequantize what a ``Draw`` asks for.
        left_out: what lies there and is not taken.
    """

    def __init__(
        self,
        folder: Path,
        files: Sequence[ImageFile],
        image_size: int,
        flip: bool,
        noise: bool = False,
        left_out: LeftOut = LeftOut(),  # noqa: B008, it is a tuple
    ) -> None:
        self.left_out = left_out
        self.folder, self.image_size, self.flip, self.noise = folder, image_size, flip, noise
        self.paths = PackedPaths([file.path for file in files])
        self.label = torch.tensor([file.label for file in files])

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, item: Draw | int) -> ClassBatch:
        """One image; raises InputError if its file cannot be read."""
        index = item.index if isinstance(item, Draw) else item
        image = load_square(self.file(index), self.image_size)
        if self.flip and isinstance(item, Draw) and flips(item.seed):
            image = mirror(image)
        if self.noise and isinstance(item, Draw):
            image = dequantize(image, item.seed)
        return ClassBatch(image, self.label[index])

    def file(self, index: int) -> Path:
        """Where an image lies."""
        return self.folder / self.paths[index]


class ImageFolder(LabelledImages):
    """Your own images: one sub-folder per class, the classes labelled in the order of their sorted names.

    If ``root`` has the sub-folders ``train`` and ``val`` (and ``test``; ``lit_an.data.split_folders`` says how else
    they may be called), each of them holds the class folders of that split. Else a part of the images is held out for
    ``val``: the same images on any machine, chosen by a hash of their path below ``root``; an added image moves no
    other. Without a ``test`` of its own, ``test`` is ``val``.

    Images may lie at any depth below their class folder; hidden files and other kinds of files are passed over, and a
    file that several links lead to counts once (``lit_an.data.walking``). An image is cut to its centre square and
    resized; see ``lit_an.data.transforms.read_image`` for what is done to transparency, 16-bit grey and EXIF
    orientation.

    Args:
        root: the folder; ``~`` is expanded.
        image_size: side of the images in pixels.
        val_fraction: share of the images held out where there is no ``val`` folder, 0 < val_fraction < 1. The last
            image of a class is never held out.
        batch_size: images of one discriminator step on one device.
        batches_per_iteration: batches that one training iteration takes: the task's ``discriminator_steps``.
        num_workers: loader processes; decoding is slow, so as many as there are cores to spare.
        flip: mirror training images left to right at random.
        samples_per_class: images of each class that ``predict`` asks for.
        seed: chooses the order of the training images, their mirroring and noise.
        dequantize: in training, fill the steps between 8-bit values with noise, as SNGAN-projection does; see
            ``lit_an.data.transforms.dequantize``.

    Raises:
        InputError: a folder that is missing or not laid out like that; later, from ``dataset``, a class without
            images, splits with different classes, or an image that cannot be read.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        image_size: int,
        val_fraction: float = 0.1,
        batch_size: int = 64,
        batches_per_iteration: int = 1,
        num_workers: int = 0,
        flip: bool = True,
        samples_per_class: int = 16,
        seed: int = 0,
        dequantize: bool = False,
    ) -> None:
        super().__init__(image_size, batch_size, batches_per_iteration, num_workers, flip, samples_per_class, seed)
        self.dequantize = dequantize
        check_fraction(val_fraction)
        self.root, self.val_fraction = Path(root).expanduser(), val_fraction
        check_folder(self.root, LAYOUT)
        self.split_folders = split_folders(self.root, "one folder of classes")
        self._class_names = _find_classes(self._folder("train"))

    @property
    def class_names(self) -> list[str]:
        return list(self._class_names)

    def dataset(self, split: Split) -> Dataset[ClassBatch]:
        """The images of a split; see the base class.

        Raises:
            InputError: a class without images, other classes than in training, or nothing to hold out.
        """
        folder = self._folder(split)
        if self.split_folders:
            _check_same_classes(folder, self._folder("train"), self._class_names)
        files, left_out = list_images(folder, self._class_names)
        if not self.split_folders:
            files = part_of(split, files, self.val_fraction, folder)
        return FolderImages(folder, files, self.image_size, self.flip, self.dequantize, left_out)

    @property
    def has_test(self) -> bool:
        """Whether ``test`` is not just ``val`` again."""
        return "test" in self.split_folders

    def _folder(self, split: Split) -> Path:
        if not self.split_folders:
            return self.root
        return self.split_folders.get(split, self.split_folders["val"])


def list_images(folder: Path, class_names: Sequence[str]) -> tuple[list[ImageFile], LeftOut]:
    """The images of all classes, in the order of their labels and paths, and what is not taken.

    Raises:
        InputError: a class without images, or a folder that cannot be read.
    """
    images, left_out, _ = walk(folder, class_names)
    empty = next((name for name in class_names if not images[name]), None)
    if empty is not None:
        raise InputError(
            f"data: the class folder {str(folder / empty)!r} holds no images ({spell(ENDINGS)}); "
            f"add some or remove it{instead(left_out.below(empty))}"
        )
    files = [ImageFile(path, label) for label, name in enumerate(class_names) for path in images[name]]
    return files, left_out._replace(outside=list(filter(is_image, files_in(folder))))


def _find_classes(folder: Path) -> list[str]:
    names = sub_folders(folder)
    if not names:
        state = "holds images but" if any(map(is_image, files_in(folder))) else "has"
        raise InputError(f"data: the folder {str(folder)!r} {state} no class folders; it must hold {LAYOUT}")
    if len(names) == 1:
        inside = folder / names[0]
        hint = f"; did you mean {str(inside)!r}?" if sub_folders(inside) else "; at least two are needed"
        raise InputError(f"data: the folder {str(folder)!r} has only one class folder, {names[0]!r}{hint}")
    return names


def _check_same_classes(folder: Path, train_folder: Path, class_names: Sequence[str]) -> None:
    names = _find_classes(folder)
    different = sorted(set(names) ^ set(class_names))
    if different:
        raise InputError(
            f"data: the class folders of {str(folder)!r} must be those of {str(train_folder)!r}; "
            f"only one of the two has {spell(different)}"
        )

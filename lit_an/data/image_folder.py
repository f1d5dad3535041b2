"""Any folder of labelled images: one sub-folder per class, with or without a split made beforehand."""

import hashlib
import itertools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

from lit_an.batch import ClassBatch, Draw
from lit_an.data.base import LabelledImages, Split
from lit_an.data.transforms import flips, load_square, mirror
from lit_an.errors import InputError

ENDINGS = (".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")

# A folder whose sub-folders are all among these holds splits, not classes.
SPLIT_FOLDERS = {"train", "training", "val", "valid", "validation", "test", "testing"}

LAYOUT = "one sub-folder of images per class"


class ImageFile(NamedTuple):
    """One labelled file.

    Attributes:
        path: relative to the folder that holds the class folders, with ``/`` between its parts.
        label: index of its class.
    """

    path: str
    label: int


class PackedPaths(Sequence[str]):
    """Many paths as one string of bytes: a tenth of the memory of a list, and forked workers do not copy it.

    Example:
        >>> list(PackedPaths(["cat/1.png", "dog/äö.png"]))
        ['cat/1.png', 'dog/äö.png']
    """

    def __init__(self, paths: Sequence[str]) -> None:
        encoded = [os.fsencode(path) for path in paths]
        self._bytes = b"".join(encoded)
        self._ends = np.cumsum([0, *map(len, encoded)])

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, index: int) -> str:  # type: ignore[override]
        if not 0 <= index < len(self):
            raise IndexError(index)
        return os.fsdecode(self._bytes[self._ends[index] : self._ends[index + 1]])


class FolderImages(Dataset[ClassBatch]):
    """Image files, decoded when they are asked for.

    Args:
        folder: what the paths are relative to.
        files: the images.
        image_size: side of the square that is cut out of each.
        flip: mirror what a ``Draw`` asks for, if its seed says so.
    """

    def __init__(self, folder: Path, files: Sequence[ImageFile], image_size: int, flip: bool) -> None:
        self.folder, self.image_size, self.flip = folder, image_size, flip
        self.paths = PackedPaths([file.path for file in files])
        self.label = torch.tensor([file.label for file in files])

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, item: Draw | int) -> ClassBatch:
        """One image; raises InputError if its file cannot be read."""
        index = item.index if isinstance(item, Draw) else item
        image = load_square(self.folder / self.paths[index], self.image_size)
        if self.flip and isinstance(item, Draw) and flips(item.seed):
            image = mirror(image)
        return ClassBatch(image, self.label[index])


class ImageFolder(LabelledImages):
    """Your own images: one sub-folder per class, the classes labelled in the order of their sorted names.

    If ``root`` has the sub-folders ``train`` and ``val`` (and ``test``), each of them holds the class folders of that
    split. Else a part of the images is held out for ``val``: the same images on any machine, chosen by a hash of
    their path below ``root``; an added image moves no other. Without a ``test`` of its own, ``test`` is ``val``.

    Images may lie at any depth below their class folder; hidden files and other kinds of files are passed over. An
    image is cut to its centre square and resized; see ``lit_an.data.transforms.read_image`` for what is done to
    transparency, 16-bit grey and EXIF orientation.

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
        seed: chooses the order of the training images and their mirroring.

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
    ) -> None:
        super().__init__(image_size, batch_size, batches_per_iteration, num_workers, flip, samples_per_class, seed)
        if not 0.0 < val_fraction < 1.0:
            raise InputError(f"data: val_fraction must be between 0 and 1, both excluded, got {val_fraction}")
        self.root, self.val_fraction = Path(root).expanduser(), val_fraction
        self.has_split_folders = _has_split_folders(self.root)
        self._class_names = _find_classes(self.root / "train" if self.has_split_folders else self.root)

    @property
    def class_names(self) -> list[str]:
        return list(self._class_names)

    def dataset(self, split: Split) -> Dataset[ClassBatch]:
        """The images of a split; see the base class.

        Raises:
            InputError: a class without images, other classes than in training, or nothing to hold out.
        """
        folder = self._folder(split)
        if self.has_split_folders:
            _check_same_classes(folder, self.root / "train", self._class_names)
            files = list_images(folder, self._class_names)
        else:
            train, val = hold_out(list_images(folder, self._class_names), self.val_fraction)
            files = train if split == "train" else val
        if not files:
            raise InputError(
                f"data: val_fraction={self.val_fraction} of the images in {str(folder)!r} leaves none for validation; "
                f"raise it or add images"
            )
        return FolderImages(folder, files, self.image_size, self.flip)

    def _folder(self, split: Split) -> Path:
        if not self.has_split_folders:
            return self.root
        return self.root / ("val" if split == "test" and not (self.root / "test").is_dir() else split)


def list_images(folder: Path, class_names: Sequence[str]) -> list[ImageFile]:
    """The images of all classes, in the order of their labels and paths.

    Raises:
        InputError: a class without images.
    """
    files = []
    for label, name in enumerate(class_names):
        paths = sorted(_walk(folder, name))
        if not paths:
            raise InputError(
                f"data: the class folder {str(folder / name)!r} holds no images ({_spell(ENDINGS)}); "
                f"add some or remove it"
            )
        files += [ImageFile(path, label) for path in paths]
    return files


def hold_out(files: Sequence[ImageFile], fraction: float) -> tuple[list[ImageFile], list[ImageFile]]:
    """Parts images into those to train on and about ``fraction`` of them that are held out.

    Which is which depends on an image's own path alone, save that every class keeps at least one image.

    Args:
        files: sorted by label.
        fraction: share to hold out, 0 < fraction < 1.
    """
    train, held_out = [], []
    for _, group in itertools.groupby(files, key=lambda file: file.label):
        ranked = sorted((_rank(file.path), file) for file in group)
        kept = [file for rank, file in ranked if rank >= fraction] or [ranked[-1][1]]
        train += sorted(kept)
        held_out += sorted(file for _, file in ranked[: len(ranked) - len(kept)])
    return train, held_out


def _rank(path: str) -> float:
    """A number in [0, 1), uniform over paths; unlike ``hash`` it is the same in every process."""
    digest = hashlib.blake2b(os.fsencode(path), digest_size=6).digest()
    return int.from_bytes(digest, "big") / 2**48


def _walk(folder: Path, name: str) -> Iterator[str]:
    for place, folders, files in os.walk(folder / name, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        inside = Path(place).relative_to(folder).as_posix()
        yield from (f"{inside}/{file}" for file in files if _is_image(file))


def _is_image(file: str) -> bool:
    return file.lower().endswith(ENDINGS) and not file.startswith(".")


def _sub_folders(folder: Path) -> list[str]:
    return sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith("."))


def _has_split_folders(root: Path) -> bool:
    if not root.exists():
        raise InputError(f"data: the folder root={str(root)!r} does not exist; give one with {LAYOUT}")
    if not root.is_dir():
        raise InputError(f"data: root={str(root)!r} is a file; give a folder with {LAYOUT}")
    names = set(_sub_folders(root))
    if names and names <= SPLIT_FOLDERS and not {"train", "val"} <= names:
        raise InputError(
            f"data: root={str(root)!r} is split into {_spell(sorted(names))}; the sub-folders must be called "
            f"train, val and, if you like, test (or name one folder of classes as root: a part is then held out)"
        )
    return {"train", "val"} <= names


def _find_classes(folder: Path) -> list[str]:
    names = _sub_folders(folder)
    if not names:
        state = "holds images but" if any(_is_image(file) for file in os.listdir(folder)) else "has"
        raise InputError(f"data: the folder {str(folder)!r} {state} no class folders; it must hold {LAYOUT}")
    if len(names) == 1:
        inside = folder / names[0]
        hint = f"; did you mean {str(inside)!r}?" if _sub_folders(inside) else "; at least two are needed"
        raise InputError(f"data: the folder {str(folder)!r} has only one class folder, {names[0]!r}{hint}")
    return names


def _check_same_classes(folder: Path, train_folder: Path, class_names: Sequence[str]) -> None:
    names = _find_classes(folder)
    different = sorted(set(names) ^ set(class_names))
    if different:
        raise InputError(
            f"data: the class folders of {str(folder)!r} must be those of {str(train_folder)!r}; "
            f"only one of the two has {_spell(different)}"
        )


def _spell(words: Sequence[str]) -> str:
    """At most eight words, so that a thousand wrong classes do not fill the screen."""
    rest = f" and {len(words) - 8} more" if len(words) > 8 else ""
    return ", ".join(words[:8]) + rest

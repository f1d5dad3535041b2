"""Places365 as it is published: archives unpacked side by side, and their file lists."""

import os
from pathlib import Path
from typing import Literal, get_args

from lit_an.data.base import Split
from lit_an.data.cropping import Crop
from lit_an.data.file_lists import read_list
from lit_an.data.listing import check_folder, did_you_mean, list_photographs
from lit_an.data.masked_images import MaskedImages
from lit_an.data.photos import PhotoFiles
from lit_an.data.split_folders import split_called
from lit_an.data.walking import sub_folders
from lit_an.errors import InputError
from lit_an.masks.base import HoleShape

Size = Literal["small", "large"]
Variant = Literal["standard", "challenge"]

# What the archives of a size call it.
SIZE_NAMES: dict[Size, str] = {"small": "256", "large": "large"}


class Places365(MaskedImages):
    """Places365, of which inpainting takes the images alone.

    ``root`` holds the unpacked archives. Training images are in ``data_256`` or ``data_large``, as they unpack, or in
    ``data_256_standard``, ``data_large_challenge``, …, as torchvision renames them; the others in ``val_256``,
    ``val_large``, ``test_256``, ``test_large``. Without a test folder, ``test`` is ``val``.

    Which images a split has, and in which order, is read from ``places365_train_standard.txt`` (or ``…_challenge``),
    ``places365_val.txt`` and ``places365_test.txt`` in ``root``, whose lines are ``/a/airfield/00000001.jpg 0``. A
    list that is not there is no loss: all images in the folder are taken, sorted. As published there are 1,803,460
    images to train on in the standard set, 36,500 for validation and 328,500 for test.

    The other published form, ``places365standard_easyformat.tar``, is a folder with ``train`` and ``val``: take
    ``lit_an.data.Photographs`` for it.

    Args:
        root: the folder; ``~`` is expanded.
        image_size: side of the images in pixels.
        mask: shape of the holes; None takes ``lit_an.masks.Rectangle``.
        val_mask: shape of the holes of validation and test; None takes that of ``mask``.
        size: ``small``, images squeezed to 256 × 256, or ``large``, in their own shape.
        variant: ``standard``, or ``challenge``, which has all of it and 6.2 million images more.
        crop: ``random``, ``centre`` or ``resize``; see ``lit_an.data.MaskedImages``.
        min_scale: least share of the short side that a random crop shows, 0 < min_scale ≤ 1.
        batch_size: images of one discriminator step on one device.
        batches_per_iteration: batches that one training iteration takes: the task's ``discriminator_steps``.
        num_workers: loader processes; decoding is slow, so as many as there are cores to spare.
        flip: mirror training images left to right at random.
        seed: chooses the order of the training images, what is random about them, and the holes of validation.

    Raises:
        InputError: a folder that is missing or not laid out like that; later, from ``dataset``, no validation images,
            a list that names a missing file, or an image that cannot be read.

    Source: Zhou et al., "Places: a 10 million image database for scene recognition", PAMI 2017; the layout from the
    readme of its development kit and from torchvision's ``Places365``.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        image_size: int,
        mask: HoleShape | None = None,
        val_mask: HoleShape | None = None,
        size: Size = "small",
        variant: Variant = "standard",
        crop: Crop = "random",
        min_scale: float = 0.5,
        batch_size: int = 16,
        batches_per_iteration: int = 1,
        num_workers: int = 0,
        flip: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__(
            image_size, mask, val_mask, crop, min_scale, batch_size, batches_per_iteration, num_workers, flip, seed
        )
        for name, value, allowed in (("size", size, get_args(Size)), ("variant", variant, get_args(Variant))):
            if value not in allowed:
                raise InputError(f"data: {name} must be one of {', '.join(allowed)}, got {value!r}")
        self.root, self.size, self.variant = Path(root).expanduser(), size, variant
        check_folder(self.root, "the unpacked archives of Places365")
        self.train_folder = _train_folder(self.root, size, variant)

    def photos(self, split: Split) -> PhotoFiles:
        if split == "train":
            return self._listed(self.train_folder, f"places365_train_{self.variant}.txt")
        name = "val" if split == "test" and not self.has_test else split
        folder = self._folder(name)
        if not folder.is_dir():
            raise InputError(f"data: {str(self.root)!r} has no folder {folder.name!r}; unpack {folder.name}.tar there")
        return self._listed(folder, f"places365_{name}.txt")

    @property
    def has_test(self) -> bool:
        """Whether ``test`` is not just ``val`` again."""
        return self._folder("test").is_dir()

    def _folder(self, split: str) -> Path:
        return self.root / f"{split}_{SIZE_NAMES[self.size]}"

    def _listed(self, folder: Path, name: str) -> PhotoFiles:
        file = self.root / name
        if not file.is_file():
            listed = list_photographs(folder)
            return PhotoFiles(folder, listed.paths, listed.left_out)
        hint = f"; unpack the rest of {folder.name!r}, or remove the list to take the images that are there"
        return PhotoFiles(folder, read_list(file, folder, _path_of, hint))


def is_places365(root: Path) -> bool:
    """Whether a folder holds training images of Places365, of any size."""
    return any((root / name).is_dir() for name in _train_names(*SIZE_NAMES))


def sizes_in(root: Path) -> list[Size]:
    """Of which sizes there are training images."""
    return [size for size in SIZE_NAMES if any((root / name).is_dir() for name in _train_names(size))]


def variant_in(root: Path, size: Size) -> Variant:
    """Of which variant the training images are, by the name of their folder, else by their list."""
    name = f"data_{SIZE_NAMES[size]}"
    challenge, standard = (
        (root / f"{name}_{variant}").is_dir() or (root / f"places365_train_{variant}.txt").is_file()
        for variant in ("challenge", "standard")
    )
    return "challenge" if challenge and not standard else "standard"


def _train_names(*sizes: Size, variants: tuple[str, ...] = get_args(Variant)) -> list[str]:
    """What a folder of training images may be called; the name that says more comes first."""
    named = [f"data_{SIZE_NAMES[size]}" for size in sizes]
    return [f"{name}_{variant}" for variant in variants for name in named] + named


def _train_folder(root: Path, size: Size, variant: Variant) -> Path:
    names = _train_names(size, variants=(variant,))
    found = next((root / name for name in names if (root / name).is_dir()), None)
    if found is not None:
        return found
    there = [name for name in _train_names(*SIZE_NAMES) if (root / name).is_dir()]
    if there:
        hint = f"; it has {there[0]!r}: set size and variant to what you have"
    elif {"train", "val"} <= set(map(split_called, sub_folders(root))):
        hint = "; for a folder with train and val take lit_an.data.Photographs"
    else:
        hint = did_you_mean(root, is_places365)
    raise InputError(f"data: root={str(root)!r} has neither {names[0]!r} nor {names[1]!r}{hint}")


def _path_of(line: str) -> str:
    """The image that a line of a published list names, such as ``/a/airfield/00000001.jpg 0``."""
    path, _, label = line.rpartition(" ")
    return (path if label.isdigit() else line).strip().lstrip("/")

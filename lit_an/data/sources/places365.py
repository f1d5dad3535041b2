"""Places365 as it is published: archives unpacked side by side, and their file lists."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

from lit_an.data.sources.base import FilePictures, Source, Split
from lit_an.data.sources.file_lists import read_list
from lit_an.data.sources.listing import did_you_mean, existing_folder, list_photographs
from lit_an.data.sources.split_folders import split_called
from lit_an.data.sources.walking import LeftOut, sub_folders
from lit_an.errors import InputError
from lit_an.files.text import lines_of

Size = Literal["small", "large"]
Variant = Literal["standard", "challenge"]

# What the archives of a size call it.
SIZE_NAMES: dict[Size, str] = {"small": "256", "large": "large"}
CATEGORIES, CLASSES = "categories_places365.txt", 365

Entry = tuple[str, int]  # a path, and the number of its class


class Places365(Source):
    """Places365 as its archives unpack side by side; its classes are the kinds of place.

    Training images are in ``data_256`` or ``data_large``, as they unpack, or in ``data_256_standard``,
    ``data_large_challenge``, …, as torchvision renames them; the others in ``val_256``, ``val_large``, ``test_256``,
    ``test_large``. Without a test folder, ``test`` is ``val``; the labels of the test images are not public.

    Which images a split has, in which order and of which class, is read from ``places365_train_standard.txt`` (or
    ``…_challenge``), ``places365_val.txt`` and ``places365_test.txt`` in ``root``, whose lines are
    ``/a/airfield/00000001.jpg 0``. Without such a list all images in the folder are taken, sorted; training images then
    are of the class that their folder is called by, and the others have none. As published there are 1,803,460 images
    to train on in the standard set, 36,500 for validation and 328,500 for test.

    The other published form, ``places365standard_easyformat.tar``, is a folder with ``train`` and ``val``: take
    ``lit_an.data.sources.ImageFolder`` for it.

    Args:
        root: the folder; ``~`` is expanded.
        size: ``small``, images squeezed to 256 × 256, or ``large``, in their own shape; None takes ``large`` where
            both are there.
        variant: ``standard``, or ``challenge``, which has all of it and 6.2 million images more; None takes the one
            that is there.

    Raises:
        InputError: a folder that is missing or not laid out like that; later, no validation images, or a list that
            names a missing file.

    Source: Zhou et al., "Places: a 10 million image database for scene recognition", PAMI 2017; the layout from the
    readme of its development kit and from torchvision's ``Places365``.
    """

    def __init__(self, root: str | os.PathLike[str], size: Size | None = None, variant: Variant | None = None) -> None:
        for name, value, allowed in (("size", size, get_args(Size)), ("variant", variant, get_args(Variant))):
            if value is not None and value not in allowed:
                raise InputError(f"data: {name} must be one of {', '.join(allowed)}, got {value!r}")
        self.root = existing_folder(root, "the unpacked archives of Places365")
        self.size: Size = size or ("large" if "large" in sizes_in(self.root) else "small")
        self.variant: Variant = variant or variant_in(self.root, self.size)
        self.train_folder = _train_folder(self.root, self.size, self.variant)
        self._class_of: dict[int, str] | None = None

    @property
    def class_names(self) -> list[str]:
        return [self._classes()[number] for number in sorted(self._classes())]

    @property
    def has_test(self) -> bool:
        return self._folder("test").is_dir()

    def open(self, split: Split, image_size: int) -> FilePictures:
        folder = self._folder(split)
        if not folder.is_dir():
            raise InputError(f"data: {str(self.root)!r} has no folder {folder.name!r}; unpack {folder.name}.tar there")
        entries, left_out = self._entries(split)
        return FilePictures(folder, [path for path, _ in entries], self._labels(split, entries), left_out)

    def _labels(self, split: Split, entries: Sequence[Entry]) -> list[int] | None:
        """The labels of a split's images, or None where nothing says them."""
        numbers = [number for _, number in entries]
        if min(numbers) < 0 or not (split == "train" or self._numbers_are_published()):
            return None
        label_of = {number: label for label, number in enumerate(sorted(self._classes()))}
        unknown = next((number for number in numbers if number not in label_of), None)
        if unknown is not None:
            raise InputError(
                f"data: {str(self._list_of(split))!r} names the class {unknown}, of which there are no training "
                f"images; put {CATEGORIES} beside it"
            )
        return [label_of[number] for number in numbers]

    def _classes(self) -> dict[int, str]:
        """The name of each number of a class: from the file of categories, else from the training images."""
        if self._class_of is None:
            named = self._categories() or [
                (os.path.dirname(path), number) for path, number in self._entries("train")[0]
            ]
            self._class_of = {number: _class_name(place) for place, number in named}
        return self._class_of

    def _categories(self) -> list[Entry]:
        file = self.root / CATEGORIES
        return [_entry(line) for line in lines_of(file) if line.strip()] if file.is_file() else []

    def _numbers_are_published(self) -> bool:
        """Whether the numbers of the classes are those of the lists: not where folders of a subset are counted."""
        file = self._list_of("train")
        listed = file.is_file() and all(_entry(line)[1] >= 0 for line in lines_of(file) if line.strip())
        return listed or bool(self._categories()) or len(self._classes()) == CLASSES

    def _folder(self, split: Split) -> Path:
        return self.train_folder if split == "train" else self.root / f"{split}_{SIZE_NAMES[self.size]}"

    def _list_of(self, split: Split) -> Path:
        return self.root / f"places365_{split}{f'_{self.variant}' if split == 'train' else ''}.txt"

    def _entries(self, split: Split) -> tuple[list[Entry], LeftOut]:
        """Path and class number of each image, -1 where nothing says it."""
        file, folder = self._list_of(split), self._folder(split)
        if file.is_file():
            hint = f"; unpack the rest of {folder.name!r}, or remove the list to take the images that are there"
            entries, left_out = read_list(file, folder, _entry, hint), LeftOut()
        else:
            listed = list_photographs(folder)
            entries, left_out = [(path, -1) for path in listed.paths], listed.left_out
        if split == "train" and any(number < 0 for _, number in entries):
            entries = self._numbered_by_folder([path for path, _ in entries])
        return entries, left_out

    def _numbered_by_folder(self, paths: Sequence[str]) -> list[Entry]:
        places = [os.path.dirname(path) for path in paths]
        number_of = {_class_name(place): number for place, number in self._categories()}
        number_of = number_of or {_class_name(place): n for n, place in enumerate(sorted(set(places)))}
        return [(path, number_of.get(_class_name(place), -1)) for path, place in zip(paths, places, strict=True)]


def is_places365(root: Path) -> bool:
    """Whether a folder holds training images of Places365, of any size."""
    return any((root / name).is_dir() for name in _train_names(*SIZE_NAMES))


def sizes_in(root: Path) -> list[Size]:
    """Of which sizes there are training images."""
    return [size for size in SIZE_NAMES if any((root / name).is_dir() for name in _train_names(size))]


def variant_in(root: Path, size: Size) -> Variant:
    """Of which variant the training images are, by the name of their folder, else by their list."""
    name, variants = f"data_{SIZE_NAMES[size]}", get_args(Variant)
    named = [] if (root / name).is_dir() else [one for one in variants if (root / f"{name}_{one}").is_dir()]
    listed = [one for one in variants if (root / f"places365_train_{one}.txt").is_file()]
    found: Variant = (named + listed or ["standard"])[0]
    return found


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
        hint = "; for a folder with train and val take lit_an.data.sources.ImageFolder"
    else:
        hint = did_you_mean(root, is_places365)
    raise InputError(f"data: root={str(root)!r} has neither {names[0]!r} nor {names[1]!r}{hint}")


def _entry(line: str) -> Entry:
    """What a line of a published list says, such as ``/a/airfield/00000001.jpg 0``; -1 stands for no number."""
    path, _, number = line.strip().rpartition(" ")
    return (path.strip().lstrip("/"), int(number)) if number.isdigit() else (line.strip().lstrip("/"), -1)


def _class_name(place: str) -> str:
    """The name of a kind of place: its folder without the letter above it.

    Example:
        >>> _class_name("/a/apartment_building/outdoor")
        'apartment_building_outdoor'
    """
    letter, _, name = place.strip("/").partition("/")
    return (name or letter).replace("/", "_")

"""Any folder of labeled images: one sub-folder per class, with or without split folders."""

import os
from collections.abc import Sequence
from pathlib import Path

from lit_an.data.sources.base import FilePictures, Source, Split
from lit_an.data.sources.listing import ImageFile, check_fraction, existing_folder, instead, part_of, spell
from lit_an.data.sources.split_folders import split_folders
from lit_an.data.sources.walking import LeftOut, files_in, sub_folders, walk
from lit_an.errors import InputError
from lit_an.images.files import ENDINGS, is_image

LAYOUT = "one sub-folder of images per class"


class ImageFolder(Source):
    """Your own images: one sub-folder per class, the classes labeled in the order of their sorted names; one sub-folder
    alone for images without classes.

    If ``root`` has the sub-folders ``train`` and ``val`` (and ``test``; ``lit_an.data.sources.split_folders`` says how
    else they may be called), each of them holds the class folders of that split. Otherwise a part of the images is held
    out for ``val``: the same images on any machine, chosen by a hash of their path below ``root``, so that an added
    image moves no other. Without a ``test`` of its own, ``test`` is ``val``.

    Images may lie at any depth below their class folder. Hidden files and other kinds of files are passed over; a file
    that several links lead to counts once (``lit_an.data.sources.walking``). ``lit_an.data.transforms.read_image`` says
    what is done to transparency, 16-bit gray and EXIF orientation.

    Args:
        root: the folder; ``~`` is expanded.
        val_fraction: share of the images held out where there is no ``val`` folder, 0 < val_fraction < 1. The last
            image of a class is never held out.

    Raises:
        InputError: a folder that is missing or not laid out like that; later, a class without images, or splits with
            different classes.
    """

    def __init__(self, root: str | os.PathLike[str], val_fraction: float = 0.1) -> None:
        check_fraction(val_fraction)
        self.root, self.val_fraction = existing_folder(root, LAYOUT), val_fraction
        self.split_folders = split_folders(self.root, "one folder of classes")
        self._class_names = _find_classes(self.split_folders.get("train", self.root))

    @property
    def class_names(self) -> list[str]:
        return list(self._class_names)

    @property
    def has_test(self) -> bool:
        return "test" in self.split_folders

    def open(self, split: Split, image_size: int) -> FilePictures:
        folder = self.split_folders.get(split, self.root)
        if self.split_folders:
            _check_same_classes(folder, self.split_folders["train"], self._class_names)
        files, left_out = list_images(folder, self._class_names)
        if not self.split_folders:
            files = part_of(split, files, self.val_fraction, folder)
        return FilePictures.labeled(folder, files, left_out)


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
    beside = files_in(folder)
    broken = [name for name in beside if not is_image(name) and not os.path.exists(folder / name)]
    return files, left_out._replace(outside=list(filter(is_image, beside)), broken=sorted([*left_out.broken, *broken]))


def _find_classes(folder: Path) -> list[str]:
    names = sub_folders(folder)
    if not names:
        state = "holds images but" if any(map(is_image, files_in(folder))) else "has"
        raise InputError(f"data: the folder {str(folder)!r} {state} no class folders; it must hold {LAYOUT}")
    if len(names) == 1:
        inside, said = folder / names[0], f"data: the folder {str(folder)!r} has only one class folder, {names[0]!r}"
        if sub_folders(inside):
            raise InputError(f"{said}; did you mean {str(inside)!r}?")
        if any(map(is_image, files_in(folder))):
            raise InputError(f"{said}, and images beside it; move them into it")
    return names


def _check_same_classes(folder: Path, train_folder: Path, class_names: Sequence[str]) -> None:
    names = _find_classes(folder)
    different = sorted(set(names) ^ set(class_names))
    if different:
        raise InputError(
            f"data: the class folders of {str(folder)!r} must be those of {str(train_folder)!r}; "
            f"only one of the two has {spell(different)}"
        )

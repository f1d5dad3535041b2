"""CelebA-HQ: faces in files that are called by their numbers."""

import os
import re
import warnings
from pathlib import Path

from lit_an.data.sources.base import FilePictures, Source, Split
from lit_an.data.sources.file_lists import FileLists
from lit_an.data.sources.listing import Listed, did_you_mean, existing_folder, list_photographs
from lit_an.data.sources.split_folders import split_called, split_folders
from lit_an.data.sources.walking import sub_folders
from lit_an.errors import InputError

IMAGES, HELD_OUT = 30_000, 2_000

NUMBERED = re.compile(r"(?:imgHQ)?(\d+)\.\w+")


class CelebAHQ(Source):
    """CelebA-HQ: 30,000 aligned faces, 28,000 of them to train on.

    ``root`` holds the images, called by their numbers: ``0.jpg`` … ``29999.jpg`` (``CelebA-HQ-img`` of
    CelebAMask-HQ), ``00000.png`` … ``29999.png``, or ``00001.jpg`` … ``30000.jpg``; or it has the sub-folders
    ``train`` and ``val`` of such images. Another number of images is taken too, with a warning.

    Without lists or split folders the last 2,000 by their numbers are ``val`` (of another number of images, as large
    a part), which needs no list and can be written down in four words. Tables of others rest on lists: DeepFill's
    ``train_shuffled.flist`` and ``val_shuffled.flist``, of 28,000 and 2,000 files ``0.jpg`` … ``29999.jpg``, which
    LaMa uses too. To compare with those tables give the latter as ``val_list``: the others are trained on, with or
    without the former as ``train_list``. ``test`` is ``val``, unless there is a ``test_list`` or a folder ``test``.

    Differs: from those lists, where none are given. LaMa also takes 2,000 of the 28,000, shuffled anew on each
    machine, for validation while it trains; nobody can repeat that.

    Args:
        root: the folder; ``~`` is expanded.
        train_list, val_list, test_list: lists of files, see ``lit_an.data.sources.Photographs``.

    Raises:
        InputError: a folder that is missing or not laid out like that; later, an image whose name is no number, or
            a list that is missing or names a missing file.

    Source: Karras et al., "Progressive growing of GANs", ICLR 2018; the lists from the repositories of Yu et al.,
    "Generative image inpainting with contextual attention", CVPR 2018, and Suvorov et al., "Resolution-robust large
    mask inpainting with Fourier convolutions", WACV 2022 (``fetch_data`` there).
    """

    crop = "center"

    def __init__(
        self,
        root: str | os.PathLike[str],
        train_list: str | None = None,
        val_list: str | None = None,
        test_list: str | None = None,
    ) -> None:
        self.root = existing_folder(root, "the numbered images of CelebA-HQ")
        self.lists = FileLists(self.root, train_list, val_list, test_list)
        self.split_folders = {} if self.lists else split_folders(self.root, "one folder of images")
        if not (self.lists or self.split_folders or holds_faces(self.root)):
            raise InputError(
                f"data: root={str(self.root)!r} holds no images called by their numbers, such as 0.jpg or 00000.png"
                f"{did_you_mean(self.root, holds_faces)}"
            )

    @property
    def has_test(self) -> bool:
        return self.lists.has_test or "test" in self.split_folders

    def open(self, split: Split, image_size: int) -> FilePictures:
        if self.lists:
            return self.lists.pictures(split)
        folder = self.split_folders.get(split, self.root)
        faces = by_number(folder)
        paths = faces.paths
        if not self.split_folders:
            train, val = last_held_out(paths, folder)
            paths = train if split == "train" else val
        return FilePictures(folder, paths, left_out=faces.left_out)


def holds_faces(root: Path) -> bool:
    """Whether a folder holds images called by their numbers, or split folders of them."""
    if not root.is_dir():
        return False
    splits = [root / name for name in sub_folders(root) if split_called(name) in ("train", "val")]
    return all(any(map(NUMBERED.fullmatch, os.listdir(folder))) for folder in (splits or [root]))


def by_number(folder: Path) -> Listed:
    """The images in a folder in the order of their numbers.

    Raises:
        InputError: there are none, a name is no number, or a number is there twice.
    """
    path_of: dict[int, str] = {}
    listed = list_photographs(folder)
    for path in listed.paths:
        number = NUMBERED.fullmatch(os.path.basename(path))
        if number is None:
            raise InputError(
                f"data: {path!r} in {str(folder)!r} is not called by its number, as the images of CelebA-HQ are; "
                f"remove it, or take lit_an.data.sources.Photographs"
            )
        other = path_of.setdefault(int(number[1]), path)
        if other != path:
            raise InputError(f"data: {other!r} and {path!r} in {str(folder)!r} have one number; remove one of them")
    return listed._replace(paths=[path for _, path in sorted(path_of.items())])


def last_held_out(paths: list[str], folder: Path) -> tuple[list[str], list[str]]:
    """Parts images into those to train on and the last 2,000 of 30,000; of another number, as large a part.

    Args:
        paths: in the order of their numbers.
        folder: where they lie, for the warning about another number.

    Raises:
        InputError: there is one image, or none.
    """
    if len(paths) < 2:
        raise InputError(f"data: {str(folder)!r} holds one image; at least two are needed, one to validate with")
    if len(paths) != IMAGES:
        warnings.warn(f"CelebA-HQ has {IMAGES:,} images, but {str(folder)!r} holds {len(paths):,}", stacklevel=2)
    held_out = max(1, round(len(paths) * HELD_OUT / IMAGES))
    return paths[:-held_out], paths[-held_out:]

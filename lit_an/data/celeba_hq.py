"""CelebA-HQ: faces in files that are called by their numbers."""

import os
import re
import warnings
from pathlib import Path

from lit_an.data.base import Split
from lit_an.data.cropping import Crop
from lit_an.data.file_lists import FileLists
from lit_an.data.listing import Listed, check_folder, did_you_mean, list_photographs
from lit_an.data.masked_images import MaskedImages
from lit_an.data.photos import PhotoFiles
from lit_an.data.split_folders import split_called, split_folders
from lit_an.data.walking import sub_folders
from lit_an.errors import InputError
from lit_an.masks.base import HoleShape

IMAGES, HELD_OUT = 30_000, 2_000

NUMBERED = re.compile(r"(?:imgHQ)?(\d+)\.\w+")


class CelebAHQ(MaskedImages):
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
        image_size: side of the images in pixels.
        mask: shape of the holes; None takes ``lit_an.masks.Rectangle``.
        val_mask: shape of the holes of validation and test; None takes that of ``mask``.
        crop: ``random``, ``centre`` or ``resize``; see ``lit_an.data.MaskedImages``. The faces are square and aligned.
        min_scale: least share of the short side that a random crop shows, 0 < min_scale ≤ 1.
        train_list, val_list, test_list: lists of files, see ``lit_an.data.Photographs``.
        batch_size: images of one discriminator step on one device.
        batches_per_iteration: batches that one training iteration takes: the task's ``discriminator_steps``.
        num_workers: loader processes; decoding is slow, so as many as there are cores to spare.
        flip: mirror training images left to right at random.
        seed: chooses the order of the training images, what is random about them, and the holes of validation.

    Raises:
        InputError: a folder that is missing or not laid out like that; later, from ``dataset``, an image whose name
            is no number, a list that is missing or names a missing file, or an image that cannot be read.

    Source: Karras et al., "Progressive growing of GANs", ICLR 2018; the lists from the repositories of Yu et al.,
    "Generative image inpainting with contextual attention", CVPR 2018, and Suvorov et al., "Resolution-robust large
    mask inpainting with Fourier convolutions", WACV 2022 (``fetch_data`` there).
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        image_size: int,
        mask: HoleShape | None = None,
        val_mask: HoleShape | None = None,
        crop: Crop = "centre",
        min_scale: float = 0.5,
        train_list: str | None = None,
        val_list: str | None = None,
        test_list: str | None = None,
        batch_size: int = 16,
        batches_per_iteration: int = 1,
        num_workers: int = 0,
        flip: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__(
            image_size, mask, val_mask, crop, min_scale, batch_size, batches_per_iteration, num_workers, flip, seed
        )
        self.root = Path(root).expanduser()
        self.lists = FileLists(self.root, train_list, val_list, test_list)
        check_folder(self.root, "the numbered images of CelebA-HQ")
        self.split_folders = {} if self.lists else split_folders(self.root, "one folder of images")
        if not (self.lists or self.split_folders or holds_faces(self.root)):
            raise InputError(
                f"data: root={str(self.root)!r} holds no images called by their numbers, such as 0.jpg or 00000.png"
                f"{did_you_mean(self.root, holds_faces)}"
            )

    def photos(self, split: Split) -> PhotoFiles:
        if self.lists:
            return PhotoFiles(self.root, self.lists.paths(split), self.lists.left_out(split))
        if self.split_folders:
            folder = self.split_folders.get(split, self.split_folders["val"])
            faces = by_number(folder)
            return PhotoFiles(folder, faces.paths, faces.left_out)
        faces = by_number(self.root)
        train, val = last_held_out(faces.paths, self.root)
        return PhotoFiles(self.root, train if split == "train" else val, faces.left_out)

    @property
    def has_test(self) -> bool:
        """Whether ``test`` is not just ``val`` again."""
        return self.lists.has_test if self.lists else "test" in self.split_folders


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
                f"remove it, or take lit_an.data.Photographs"
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

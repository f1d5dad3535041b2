"""Your own photographs, without labels: a folder, split folders, or lists of files."""

import os
from pathlib import Path

from lit_an.data.base import Split
from lit_an.data.cropping import Crop
from lit_an.data.file_lists import FileLists
from lit_an.data.listing import (
    ImageFile,
    check_folder,
    check_fraction,
    list_photographs,
    part_of,
)
from lit_an.data.masked_images import MaskedImages
from lit_an.data.photos import PhotoFiles
from lit_an.data.split_folders import split_folders
from lit_an.masks.base import HoleShape


class Photographs(MaskedImages):
    """Any folder of photographs, at any depth.

    If lists of files are given, they are the splits. Else, if ``root`` has the sub-folders ``train`` and ``val`` (and
    ``test``; ``lit_an.data.split_folders`` says how else they may be called), those are. Else a part of the images is
    held out for ``val``: the same images on any machine, chosen by a hash of their path below ``root``; an added image
    moves no other. Without a ``test`` of its own, ``test`` is ``val``.

    A list is a text file with one path a line, relative to ``root`` or absolute; ``#`` begins a comment line. Without
    a ``train_list`` one trains on all images below ``root`` that are in no other list.

    Hidden files and other kinds of files are passed over, and a file that several links lead to counts once
    (``lit_an.data.walking``). See ``lit_an.data.transforms.read_image`` for what is done to transparency, 16-bit grey
    and EXIF orientation.

    Args:
        root: the folder; ``~`` is expanded.
        image_size: side of the images in pixels.
        mask: shape of the holes; None takes ``lit_an.masks.Rectangle``.
        val_mask: shape of the holes of validation and test; None takes that of ``mask``.
        crop: ``random``, ``centre`` or ``resize``; see ``lit_an.data.MaskedImages``.
        min_scale: least share of the short side that a random crop shows, 0 < min_scale ≤ 1.
        val_fraction: share of the images held out where there is neither a list nor a ``val`` folder,
            0 < val_fraction < 1.
        train_list, val_list, test_list: lists of files; with any of them, ``val_list`` is needed.
        batch_size: images of one discriminator step on one device.
        batches_per_iteration: batches that one training iteration takes: the task's ``discriminator_steps``.
        num_workers: loader processes; decoding is slow, so as many as there are cores to spare.
        flip: mirror training images left to right at random.
        seed: chooses the order of the training images, what is random about them, and the holes of validation.

    Raises:
        InputError: a folder that is missing or not laid out like that; later, from ``dataset``, a split without
            images, a list that is missing or names a missing file, or an image that cannot be read.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        image_size: int,
        mask: HoleShape | None = None,
        val_mask: HoleShape | None = None,
        crop: Crop = "random",
        min_scale: float = 0.5,
        val_fraction: float = 0.1,
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
        check_fraction(val_fraction)
        self.root, self.val_fraction = Path(root).expanduser(), val_fraction
        self.lists = FileLists(self.root, train_list, val_list, test_list)
        check_folder(self.root, "photographs in it, at any depth")
        self.split_folders = {} if self.lists else split_folders(self.root, "one folder of photographs")

    def photos(self, split: Split) -> PhotoFiles:
        if self.lists:
            return PhotoFiles(self.root, self.lists.paths(split), self.lists.left_out(split))
        if self.split_folders:
            folder = self.split_folders.get(split, self.split_folders["val"])
            listed = list_photographs(folder)
            return PhotoFiles(folder, listed.paths, listed.left_out)
        listed = list_photographs(self.root)
        files = [ImageFile(path, 0) for path in listed.paths]
        part = part_of(split, files, self.val_fraction, self.root)
        return PhotoFiles(self.root, [file.path for file in part], listed.left_out)

    @property
    def has_test(self) -> bool:
        """Whether ``test`` is not just ``val`` again."""
        return self.lists.has_test if self.lists else "test" in self.split_folders

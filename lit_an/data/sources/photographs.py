"""Your own photographs, without labels: a folder, split folders, or lists of files."""

import os

from lit_an.data.sources.base import FilePictures, Source, Split
from lit_an.data.sources.file_lists import FileLists
from lit_an.data.sources.listing import ImageFile, check_fraction, existing_folder, list_photographs, part_of
from lit_an.data.sources.split_folders import split_folders


class Photographs(Source):
    """Any folder of photographs, at any depth.

    If lists of files are given, they are the splits. Otherwise, if ``root`` has the sub-folders ``train`` and ``val``
    (and ``test``; ``lit_an.data.sources.split_folders`` says how else they may be called), those are. Otherwise a part
    of the images is held out for ``val``: the same images on any machine, chosen by a hash of their path below
    ``root``, so that an added image moves no other. Without a ``test`` of its own, ``test`` is ``val``.

    A list is a text file with one path a line, relative to ``root`` or absolute; ``#`` begins a comment line. Without
    a ``train_list`` one trains on all images below ``root`` that are in no other list.

    Hidden files and other kinds of files are passed over; a file that several links lead to counts once
    (``lit_an.data.sources.walking``). ``lit_an.data.transforms.read_image`` says what is done to transparency, 16-bit
    gray and EXIF orientation.

    Args:
        root: the folder; ``~`` is expanded.
        val_fraction: share of the images held out where there is neither a list nor a ``val`` folder,
            0 < val_fraction < 1.
        train_list, val_list, test_list: lists of files; with any of them, ``val_list`` is needed.

    Raises:
        InputError: a folder that is missing or not laid out like that; later, a split without images, or a list that
            is missing or names a missing file.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        val_fraction: float = 0.1,
        train_list: str | None = None,
        val_list: str | None = None,
        test_list: str | None = None,
    ) -> None:
        check_fraction(val_fraction)
        self.root, self.val_fraction = existing_folder(root, "photographs in it, at any depth"), val_fraction
        self.lists = FileLists(self.root, train_list, val_list, test_list)
        self.split_folders = {} if self.lists else split_folders(self.root, "one folder of photographs")

    @property
    def has_test(self) -> bool:
        return self.lists.has_test or "test" in self.split_folders

    def open(self, split: Split, image_size: int) -> FilePictures:
        if self.lists:
            return self.lists.pictures(split)
        folder = self.split_folders.get(split, self.root)
        listed = list_photographs(folder)
        paths = listed.paths
        if not self.split_folders:
            files = [ImageFile(path, 0) for path in paths]
            paths = [file.path for file in part_of(split, files, self.val_fraction, folder)]
        return FilePictures(folder, paths, left_out=listed.left_out)

"""Splits that a user gives as lists of files."""

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from lit_an.data.sources.base import FilePictures, Split
from lit_an.data.sources.listing import Listed, did_you_mean, list_photographs
from lit_an.data.sources.walking import LeftOut
from lit_an.errors import InputError
from lit_an.files.text import lines_of
from lit_an.images.files import composed


class FileLists:
    """The splits as lists of files.

    Args:
        root: what their paths are relative to.
        train, val, test: the lists; ``~`` is expanded.

    Raises:
        InputError: there are lists, but none for validation.
    """

    def __init__(self, root: Path, train: str | None, val: str | None, test: str | None) -> None:
        given: dict[Split, str | None] = {"train": train, "val": val, "test": test}
        self.root = root
        self._listed: Listed | None = None
        self.files: dict[Split, Path] = {
            split: Path(file).expanduser() for split, file in given.items() if file is not None
        }
        if self.files and "val" not in self.files:
            raise InputError(f"data: {next(iter(self.files))}_list needs a val_list beside it; give one")

    def __bool__(self) -> bool:
        return bool(self.files)

    @property
    def has_test(self) -> bool:
        """Whether there is a list for ``test``."""
        return "test" in self.files

    def paths(self, split: Split) -> list[str]:
        """The images of a split, in the order of its list.

        Raises:
            InputError: a list is missing, empty, or names a missing file, or leaves nothing to train on.
        """
        if split in self.files:
            return [path for path, _ in read_list(self.files[split], self.root)]
        listed = {os.path.realpath(self.root / path) for other in self.files for path in self.paths(other)}
        below, real = self._below_root(), os.path.realpath(self.root)
        # Only a path that leads through a link has to be looked up on the disk.
        left = [
            path
            for path in below.paths
            if (os.path.realpath(self.root / path) if path in below.linked else f"{real}/{path}") not in listed
        ]
        if not left:
            raise InputError(f"data: the lists name all images below {str(self.root)!r}; none are left to train on")
        return left

    def pictures(self, split: Split) -> FilePictures:
        """The images of a split, and, where the folder is searched, what is not taken there.

        Raises:
            InputError: a list is missing, empty, or names a missing file, or leaves nothing to train on.
        """
        searched = split == "train" and "train" not in self.files
        left_out = self._below_root().left_out if searched else LeftOut()
        return FilePictures(self.root, self.paths(split), left_out=left_out)

    def _below_root(self) -> Listed:
        if self._listed is None:
            self._listed = list_photographs(self.root)
        return self._listed


def read_list(
    file: Path, folder: Path, parse: Callable[[str], tuple[str, int]] = lambda line: (line, 0), hint: str = ""
) -> list[tuple[str, int]]:
    """The paths in a list of files, which are all there, and their labels.

    Args:
        file: a text file with one path a line, relative to ``folder`` or absolute; empty lines and lines that begin
            with ``#`` are passed over. See ``lit_an.files.text.lines_of`` for its encodings.
        folder: what the paths are relative to.
        parse: the path and the label in a line.
        hint: the end of the sentence about a missing file.

    Returns:
        The paths as the folder spells them: accents may be composed in one and decomposed in the other.

    Raises:
        InputError: there is no list, it is empty or no text, or it names a file that is missing.
    """
    if not file.is_file():
        raise InputError(f"data: the list {str(file)!r} is not there; it must hold one path a line")
    names = _Names(folder)
    entries = []
    for number, line in enumerate(map(str.strip, lines_of(file)), start=1):
        if not line or line.startswith("#"):
            continue
        path, label = parse(line)
        spelled = names.spelled(path)
        if spelled is None:
            where = f"line {number} of {str(file)!r} names {path!r}, which is not in {str(folder)!r}"
            raise InputError(f"data: {where}{hint or _where_is(path, folder)}")
        entries.append((spelled, label))
    if not entries:
        raise InputError(f"data: the list {str(file)!r} names no images; it must hold one path a line")
    return entries


class _InFolder(NamedTuple):
    names: frozenset[str]
    composed: dict[str, str]


class _Names:
    """The names in folders. One look at a folder tells of all its files: each alone is slow on a network."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # Of all folders: the lines of a shuffled list go to and fro between them.
        self._in = cache(self._read)

    def spelled(self, path: str) -> str | None:
        """A path as the folders spell it, or None if it is not there."""
        place, name = os.path.split(path)
        if name in self._in(place).names:
            return path
        return self._composed(path) or self._composed(_from_windows(path))

    def _composed(self, path: str) -> str | None:
        found = ""
        for part in Path(path).parts:
            if part != os.sep:
                there = self._in(found).composed.get(composed(part))
                if there is None:
                    return None
                part = there
            found = os.path.join(found, part)
        return found or None

    def _read(self, place: str) -> _InFolder:
        try:
            names = os.listdir(self.folder / place)
        except OSError:
            names = []
        return _InFolder(frozenset(names), {composed(name): name for name in names})


def _from_windows(path: str) -> str:
    """A path whose bytes are no UTF-8, as Windows' editors spell it."""
    return os.fsencode(path).decode("cp1252", "replace")


def _where_is(path: str, folder: Path) -> str:
    return did_you_mean(folder, lambda other: (other / path).is_file()) if folder.is_dir() else ""

"""The image files below a folder: each real file once, whatever links lead to it, and what is left out."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from lit_an.errors import InputError
from lit_an.images.files import is_folder, is_image, list_visible, name_order


class LeftOut(NamedTuple):
    """What lies below a folder and is not taken, as paths relative to it.

    Attributes:
        others: files that are no images by their endings.
        outside: images that lie beside the class folders, in none of them.
        repeated: links to files and folders that are listed at another place, or that lead back.
        broken: links that lead nowhere, whose names are not those of images.
    """

    others: Sequence[str] = ()
    outside: Sequence[str] = ()
    repeated: Sequence[str] = ()
    broken: Sequence[str] = ()

    def below(self, place: str) -> "LeftOut":
        """What of it is a sub-folder, or lies below it."""
        return LeftOut(*([path for path in paths if f"{path}/".startswith(f"{place}/")] for paths in self))

    def __str__(self) -> str:
        """One line; nothing where nothing is left out.

        Example:
            >>> str(LeftOut(others=["cat/a.gif", "cat/b.gif", "notes"], broken=["cat/more"]))
            "3 files are no images by their endings (2 .gif, 1 without); the link 'cat/more' leads nowhere"
        """
        return "; ".join(self._parts())

    def _parts(self) -> Iterator[str]:
        if self.others:
            count = Counter(os.path.splitext(path)[1].lower() or "without" for path in self.others)
            endings = ", ".join(f"{number} {ending}" for ending, number in count.most_common(8))
            more = " and others" if len(count) > 8 else ""
            what = _counted(self.others, "file is no image by its ending", "files are no images by their endings")
            yield f"{what} ({endings}{more})"
        if self.outside:
            yield f"{_counted(self.outside, 'image lies', 'images lie')} in no class folder ({_first(self.outside)})"
        if self.repeated:
            what = _counted(self.repeated, "link leads", "links lead")
            yield f"{what} to what is listed already ({_first(self.repeated)})"
        for path in self.broken[:3]:
            yield f"the link {path!r} leads nowhere"
        if len(self.broken) > 3:
            yield f"{len(self.broken) - 3} more links lead nowhere"


class Walked(NamedTuple):
    """What a walk found.

    Attributes:
        images: sorted paths relative to the folder, by the place that they were looked for in. A link with the name
            of an image that leads nowhere is among them: reading it fails with its name.
        left_out: what is not taken.
        linked: those of the images that are links, or lie in linked folders.
    """

    images: dict[str, list[str]]
    left_out: LeftOut
    linked: frozenset[str]


def walk(folder: Path, places: Sequence[str] = ("",)) -> Walked:
    """The images below a folder at any depth, hidden ones left out.

    Links are followed, to files and to folders. A file that several links lead to counts once: at its own place if
    that is below one of ``places``, else where the first link is. A link that leads back to a folder it lies in, or
    above ``folder``, is left out.

    Args:
        folder: what the paths are relative to.
        places: its sub-folders to look in; ``""`` is the folder itself.

    Raises:
        InputError: a folder cannot be read.
    """
    return _Walk(folder, places).walked()


class _Walk:
    def __init__(self, folder: Path, places: Sequence[str]) -> None:
        self.folder, self.root = folder, os.path.realpath(folder)
        self.images: dict[str, list[str]] = {place: [] for place in places}
        self.others: list[str] = []
        self.repeated: list[str] = []
        self.broken: list[str] = []
        self.linked: list[str] = []
        self._seen: set[str] = set()  # real paths of the folders that are listed, and of the files behind links
        self._links: list[tuple[str, str]] = []  # place and path of each

    def walked(self) -> Walked:
        for place in self.images:
            if place and os.path.islink(self.folder / place):
                self._links.append((place, place))
            else:
                self._list(place, place, os.path.join(self.root, place) if place else self.root, self.images[place])
        # What lies here itself comes first, then folders behind links, in which there may be more links.
        files: list[tuple[str, str, str]] = []
        while self._links:
            links, self._links = sorted(self._links, key=lambda link: tuple(map(name_order, link))), []
            for place, path in links:
                self._follow(place, path, files)
        for place, path, target in files:
            self._add_linked(place, path, target)
        images = {place: sorted(paths, key=name_order) for place, paths in self.images.items()}
        left_out = LeftOut(sorted(self.others), (), sorted(self.repeated), sorted(self.broken))
        return Walked(images, left_out, frozenset(self.linked))

    def _list(self, place: str, path: str, real: str, images: list[str]) -> None:
        folders = [(path, real)]
        while folders:
            path, real = folders.pop()
            if real in self._seen:
                continue
            self._seen.add(real)
            for entry in list_visible(self.folder / path):
                below = f"{path}/{entry.name}" if path else entry.name
                if entry.is_symlink():
                    self._links.append((place, below))
                elif is_folder(entry):
                    folders.append((below, os.path.join(real, entry.name)))
                else:
                    self._add(below, entry.is_file(), images)

    def _follow(self, place: str, path: str, files: list[tuple[str, str, str]]) -> None:
        target = os.path.realpath(self.folder / path)
        if os.path.isdir(target):
            if target in self._seen or _lies_in(self.root, target):
                self.repeated.append(path)
            else:
                self._list_linked(place, path, target)
        elif os.path.exists(target):
            files.append((place, path, target))
        elif is_image(os.path.basename(path)):
            self._take_linked(place, [path])
        else:
            self.broken.append(path)

    def _add_linked(self, place: str, path: str, target: str) -> None:
        folder, name = os.path.split(target)
        if target in self._seen or (folder in self._seen and is_image(name)):
            self.repeated.append(path)
            return
        self._seen.add(target)
        found: list[str] = []
        self._add(path, os.path.isfile(target), found)
        self._take_linked(place, found)

    def _list_linked(self, place: str, path: str, target: str) -> None:
        found: list[str] = []
        self._list(place, path, target, found)
        self._take_linked(place, found)

    def _take_linked(self, place: str, paths: Sequence[str]) -> None:
        self.images[place] += paths
        self.linked += paths

    def _add(self, path: str, is_file: bool, images: list[str]) -> None:
        (images if is_file and is_image(os.path.basename(path)) else self.others).append(path)


def sub_folders(folder: Path) -> list[str]:
    """Sorted names of the folders in a folder, hidden ones left out.

    Raises:
        InputError: the folder cannot be read, or there is a link in it that leads nowhere and has no ending: it was
            one to a folder, and nobody would notice the loss.
    """
    names = []
    for entry in list_visible(folder):
        if is_folder(entry):
            names.append(entry.name)
        elif _was_folder(entry):
            raise InputError(
                f"data: the link {entry.path!r} leads to {os.readlink(entry.path)!r}, which is not there; mend or "
                f"remove it"
            )
    return names


def files_in(folder: Path) -> list[str]:
    """Sorted names of what is in a folder and is no folder, hidden ones left out.

    Raises:
        InputError: the folder cannot be read.
    """
    return [entry.name for entry in list_visible(folder) if not is_folder(entry)]


def _was_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it looks like a link to a folder that is gone. One that leads to itself never was one to a folder."""
    is_broken = entry.is_symlink() and not os.path.exists(entry.path)
    return is_broken and not os.path.splitext(entry.name)[1] and not os.path.islink(os.path.realpath(entry.path))


def _lies_in(path: str, folder: str) -> bool:
    return os.path.commonpath([path, folder]) == folder


def _counted(paths: Sequence[str], one: str, many: str) -> str:
    return f"{len(paths)} {one if len(paths) == 1 else many}"


def _first(paths: Sequence[str]) -> str:
    return ", ".join(paths[:2]) + (", …" if len(paths) > 2 else "")

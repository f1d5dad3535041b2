"""Which files are images, by their names: one list for training, masks and predictions."""

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from lit_an.errors import InputError

# What Pillow reads without other packages, in lower case; the common ones first, since a sentence names those.
_COMMON = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif")
ENDINGS = (*_COMMON, ".avif", ".jfif", ".jpe", ".jp2", ".pbm", ".pgm", ".pnm", ".ppm")


class ImageFiles(NamedTuple):
    """What a folder holds.

    Attributes:
        images: paths relative to the folder, sorted.
        left_out: how many other files there are of each ending, in lower case; files without one under ``""``.
    """

    images: list[Path]
    left_out: dict[str, int]


def is_image(name: str) -> bool:
    """Whether a name is that of an image: by its ending, and not hidden.

    Example:
        >>> is_image("a.JPG"), is_image("a.heic"), is_image(".a.jpg")
        (True, False, False)
    """
    return name.lower().endswith(ENDINGS) and not name.startswith(".")


def find_images(root: Path, without: Iterable[Path] = ()) -> ImageFiles:
    """Finds the images in a folder and in its sub-folders, linked ones included.

    Hidden files and folders are skipped. A link to a folder above it is not followed. A link to an image that does not
    exist is listed, so that reading it fails with its name.

    Args:
        root: the folder.
        without: files and folders to skip.

    Raises:
        InputError: a folder cannot be read.
    """
    # A walk of its own beside lit_an.data.sources.walking: masks and pictures are matched by name, so a linked file is
    # listed at each place and its real path does not matter; a data set lists each real file once.
    outside = {os.path.realpath(path) for path in without}
    images: list[Path] = []
    others: list[Path] = []
    for path in _files_below(root, outside, (os.path.realpath(root),)):
        (images if is_image(path.name) else others).append(path.relative_to(root))
    images.sort(key=lambda path: ([composed(part) for part in path.parts], path))
    return ImageFiles(images, dict(sorted(Counter(path.suffix.lower() for path in others).items())))


def count_by_ending(left_out: dict[str, int]) -> str:
    """How many files of which endings.

    Example:
        >>> count_by_ending({".heic": 2, "": 1})
        '2 .heic, 1 without an ending'
    """
    return ", ".join(f"{number} {ending or 'without an ending'}" for ending, number in left_out.items())


def is_same_file(first: Path, second: Path) -> bool:
    """Whether two paths lead to one file, links followed."""
    try:
        return first.samefile(second)
    except OSError:
        return False


def composed(name: str) -> str:
    """A name with accents as parts of their letters (NFC), as most systems write it; macOS may take them apart.

    Example:
        >>> composed("cafe\\u0301.png") == "caf\\u00e9.png"
        True
    """
    return unicodedata.normalize("NFC", name)


def name_order(name: str) -> tuple[str, str]:
    """What names of files are sorted by: in one order on all systems, however they write accents.

    Example:
        >>> sorted(["e\\u0301", "f"], key=name_order) == ["f", "e\\u0301"]
        True
    """
    return composed(name), name


def list_visible(folder: Path) -> list[os.DirEntry[str]]:
    """Lists a folder by name, accents composed, without hidden files and folders.

    Raises:
        InputError: the folder cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            visible = [entry for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        raise InputError(
            f"the folder {str(folder)!r} cannot be read ({error.strerror}); make it readable, or remove it"
        ) from error
    return sorted(visible, key=lambda entry: name_order(entry.name))


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry of a folder is a folder, or a link to one; a link that leads to itself is none."""
    # DirEntry.is_dir raises an error for such a link.
    return os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir()


def _files_below(folder: Path, outside: set[str], above: tuple[str, ...]) -> Iterator[Path]:
    for entry in list_visible(folder):
        is_below, is_link = is_folder(entry), entry.is_symlink()
        # Not Path.resolve, which raises an error for a link that leads to itself.
        place = os.path.realpath(entry.path) if outside or is_link or is_below else entry.path
        if place in outside:
            continue
        if is_below:
            if place not in above:
                yield from _files_below(Path(entry.path), outside, (*above, place))
        elif (os.path.isfile(entry.path) or not os.path.exists(entry.path)) if is_link else entry.is_file():
            yield Path(entry.path)

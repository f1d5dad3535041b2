"""Which image files there are: folders walked, lists of files read, a part held out. No image is opened here."""

import hashlib
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lit_an.errors import InputError
from lit_an.image_files import ENDINGS

# A folder whose sub-folders are all among these holds splits, not classes.
SPLIT_FOLDERS = {"train", "training", "val", "valid", "validation", "test", "testing"}


class ImageFile(NamedTuple):
    """One labelled file.

    Attributes:
        path: relative to the folder that it is listed for, with ``/`` between its parts.
        label: index of its class; 0 where there are none.
    """

    path: str
    label: int


class PackedPaths(Sequence[str]):
    """Many paths as one string of bytes: a tenth of the memory of a list, and forked workers do not copy it.

    Example:
        >>> list(PackedPaths(["cat/1.png", "dog/äö.png"]))
        ['cat/1.png', 'dog/äö.png']
    """

    def __init__(self, paths: Sequence[str]) -> None:
        encoded = [os.fsencode(path) for path in paths]
        self._bytes = b"".join(encoded)
        self._ends = np.cumsum([0, *map(len, encoded)])

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, index: int) -> str:  # type: ignore[override]
        if not 0 <= index < len(self):
            raise IndexError(index)
        return os.fsdecode(self._bytes[self._ends[index] : self._ends[index + 1]])


def walk(folder: Path, inside: str = "") -> Iterator[str]:
    """The images below ``folder / inside`` at any depth, as paths relative to ``folder``; hidden ones are left out."""
    for place, folders, files in os.walk(folder / inside, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        path = Path(place).relative_to(folder).as_posix()
        prefix = "" if path == "." else f"{path}/"
        yield from (prefix + file for file in files if is_image(file))


def list_photographs(folder: Path) -> list[str]:
    """The images below a folder at any depth, sorted, as paths relative to it.

    Raises:
        InputError: the folder is missing, or there are none.
    """
    if not folder.is_dir():
        raise InputError(f"data: there is no folder {str(folder)!r}")
    paths = sorted(walk(folder))
    if not paths:
        raise InputError(f"data: the folder {str(folder)!r} holds no images ({spell(ENDINGS)})")
    return paths


def is_image(file: str) -> bool:
    """Whether a name is that of an image: by its ending, and not hidden."""
    return file.lower().endswith(ENDINGS) and not file.startswith(".")


def sub_folders(folder: Path) -> list[str]:
    """Sorted names of the folders in a folder, hidden ones left out."""
    return sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith("."))


def check_folder(root: Path, layout: str) -> None:
    """Raises InputError if ``root`` is no folder; ``layout`` says what it should hold."""
    if not root.exists():
        raise InputError(f"data: the folder root={str(root)!r} does not exist; give one with {layout}")
    if not root.is_dir():
        raise InputError(f"data: root={str(root)!r} is a file; give a folder with {layout}")


def has_split_folders(root: Path, otherwise: str) -> bool:
    """Whether a folder has the sub-folders ``train`` and ``val``.

    Args:
        root: the folder.
        otherwise: what it could hold instead, for the error sentence.

    Raises:
        InputError: it has nothing but folders of splits, called otherwise.
    """
    names = set(sub_folders(root))
    if names and names <= SPLIT_FOLDERS and not {"train", "val"} <= names:
        raise InputError(
            f"data: root={str(root)!r} is split into {spell(sorted(names))}; the sub-folders must be called "
            f"train, val and, if you like, test (or name {otherwise} as root: a part is then held out)"
        )
    return {"train", "val"} <= names


def did_you_mean(root: Path, fits: Callable[[Path], bool]) -> str:
    """The end of an error sentence: the folder above ``root`` or one just below it that fits, or nothing."""
    around = [root.absolute().parent, *(root / name for name in sub_folders(root))]
    found = next((str(folder) for folder in around if fits(folder)), None)
    return "" if found is None else f"; did you mean {found!r}?"


def part_of(split: str, files: Sequence[ImageFile], fraction: float, folder: Path) -> list[ImageFile]:
    """The images of a split where none is made beforehand: ``val`` and ``test`` are what ``hold_out`` holds out.

    Raises:
        InputError: nothing is left for the split.
    """
    train, held_out = hold_out(files, fraction)
    chosen = train if split == "train" else held_out
    if not chosen:
        raise InputError(
            f"data: val_fraction={fraction} of the images in {str(folder)!r} leaves none for validation; "
            f"raise it or add images"
        )
    return chosen


def check_fraction(val_fraction: float) -> None:
    """Raises InputError for a share that holds out nothing or everything."""
    if not 0.0 < val_fraction < 1.0:
        raise InputError(f"data: val_fraction must be between 0 and 1, both excluded, got {val_fraction}")


def hold_out(files: Sequence[ImageFile], fraction: float) -> tuple[list[ImageFile], list[ImageFile]]:
    """Parts images into those to train on and about ``fraction`` of them that are held out.

    Which is which depends on an image's own path alone, save that every class keeps at least one image.

    Args:
        files: sorted by label.
        fraction: share to hold out, 0 < fraction < 1.
    """
    train, held_out = [], []
    for _, group in itertools.groupby(files, key=lambda file: file.label):
        ranked = sorted((_rank(file.path), file) for file in group)
        kept = [file for rank, file in ranked if rank >= fraction] or [ranked[-1][1]]
        train += sorted(kept)
        held_out += sorted(file for _, file in ranked[: len(ranked) - len(kept)])
    return train, held_out


def read_list(file: Path, folder: Path, path_of: Callable[[str], str] = str, hint: str = "") -> list[str]:
    """The paths in a list of files, which are all there.

    Args:
        file: a text file with one path a line, relative to ``folder`` or absolute; empty lines and lines that begin
            with ``#`` are passed over.
        folder: what the paths are relative to.
        path_of: the path that a line names, where it says more.
        hint: the end of the sentence about a missing file.

    Raises:
        InputError: there is no list, it is empty, or it names a file that is missing.
    """
    if not file.is_file():
        raise InputError(f"data: the list {str(file)!r} is not there; it must hold one path a line")
    names_in = lru_cache(maxsize=1024)(partial(_names_in, folder))
    paths = []
    with file.open(encoding="utf-8", errors="surrogateescape") as lines:
        for number, line in enumerate(map(str.strip, lines), start=1):
            if not line or line.startswith("#"):
                continue
            path = path_of(line)
            place, name = os.path.split(path)
            if name not in names_in(place):
                where = f"line {number} of {str(file)!r} names {path!r}, which is not in {str(folder)!r}"
                raise InputError(f"data: {where}{hint or _where_is(path, folder)}")
            paths.append(path)
    if not paths:
        raise InputError(f"data: the list {str(file)!r} names no images; it must hold one path a line")
    return paths


def spell(words: Sequence[str]) -> str:
    """At most eight words, so that a thousand wrong ones do not fill the screen."""
    rest = f" and {len(words) - 8} more" if len(words) > 8 else ""
    return ", ".join(words[:8]) + rest


def _where_is(path: str, folder: Path) -> str:
    return did_you_mean(folder, lambda other: (other / path).is_file()) if folder.is_dir() else ""


def _names_in(folder: Path, place: str) -> frozenset[str]:
    """One look at a folder tells of all its files: a look at each is a hundred times slower on a network."""
    try:
        return frozenset(os.listdir(folder / place))
    except OSError:
        return frozenset()


def _rank(path: str) -> float:
    """A number in [0, 1), uniform over paths; unlike ``hash`` it is the same in every process."""
    digest = hashlib.blake2b(os.fsencode(path), digest_size=6).digest()
    return int.from_bytes(digest, "big") / 2**48

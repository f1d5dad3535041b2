"""Which image files there are: folders listed, a part held out. No image is opened here."""

import hashlib
import itertools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lit_an.data.sources.walking import LeftOut, sub_folders, walk
from lit_an.errors import InputError
from lit_an.images.files import ENDINGS, composed, name_order


class ImageFile(NamedTuple):
    """One labeled file.

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


class Listed(NamedTuple):
    """The images of a folder.

    Attributes:
        paths: relative to it, in their order.
        left_out: what lies there and is not taken.
        linked: those of the paths that lead through a link.
    """

    paths: list[str]
    left_out: LeftOut
    linked: frozenset[str]


def list_photographs(folder: Path) -> Listed:
    """The images below a folder at any depth, sorted; see ``lit_an.data.sources.walking.walk`` for links.

    Raises:
        InputError: the folder is missing or cannot be read, or there are none.
    """
    if not folder.is_dir():
        raise InputError(f"data: there is no folder {str(folder)!r}")
    images, left_out, linked = walk(folder)
    if not images[""]:
        raise InputError(f"data: the folder {str(folder)!r} holds no images ({spell(ENDINGS)}){instead(left_out)}")
    return Listed(images[""], left_out, linked)


def instead(left_out: LeftOut) -> str:
    """The end of a sentence about missing images: what there is in their place, or nothing."""
    return f"; {left_out}" if str(left_out) else ""


def existing_folder(root: str | os.PathLike[str], layout: str) -> Path:
    """The folder ``root``, ``~`` expanded; ``layout`` says what it should hold.

    Raises:
        InputError: it is no folder.
    """
    folder = Path(root).expanduser()
    if not folder.exists():
        raise InputError(f"data: the folder root={str(folder)!r} does not exist; give one with {layout}")
    if not folder.is_dir():
        raise InputError(f"data: root={str(folder)!r} is a file; give a folder with {layout}")
    return folder


def did_you_mean(root: Path, fits: Callable[[Path], bool]) -> str:
    """The end of an error sentence: the folder above ``root`` or one just below it that fits, or nothing."""
    try:
        around = [root.absolute().parent, *(root / name for name in sub_folders(root))]
        found = next((str(folder) for folder in around if fits(folder)), None)
    except InputError:  # of a folder that nobody asked for
        return ""
    return "" if found is None else f"; did you mean {found!r}?"


def part_of(split: str, files: Sequence[ImageFile], fraction: float, folder: Path) -> list[ImageFile]:
    """The images of a split where none is made beforehand: ``val`` and ``test`` are what ``hold_out`` holds out.

    Raises:
        InputError: nothing is left for the split.
    """
    train, held_out = hold_out(files, fraction)
    chosen = train if split == "train" else held_out
    if not chosen:
        # Training keeps the last image of a class: no share can hold that out.
        alone = len(files) == len({file.label for file in files})
        remedy = "add images: at least one class needs two" if alone else "raise it or add images"
        raise InputError(
            f"data: val_fraction={fraction} of the images in {str(folder)!r} leaves none for validation; {remedy}"
        )
    return chosen


def check_fraction(val_fraction: float) -> None:
    """Raises InputError for a share that holds out nothing or everything."""
    if not 0.0 < val_fraction < 1.0:
        raise InputError(f"data: val_fraction must be between 0 and 1, both excluded, got {val_fraction}")


def hold_out(files: Sequence[ImageFile], fraction: float) -> tuple[list[ImageFile], list[ImageFile]]:
    """Parts images into those to train on and about ``fraction`` of them that are held out.

    Which is which depends on an image's own path alone, save that every class keeps at least one image. Accents may be
    composed in it or decomposed, as file systems have it.

    Args:
        files: sorted by label.
        fraction: share to hold out, 0 < fraction < 1.
    """
    train, held_out = [], []
    for _, group in itertools.groupby(files, key=lambda file: file.label):
        ranked = sorted(((_rank(file.path), file) for file in group), key=lambda pair: (pair[0], _order(pair[1])))
        kept = [file for rank, file in ranked if rank >= fraction] or [ranked[-1][1]]
        train += sorted(kept, key=_order)
        held_out += sorted((file for _, file in ranked[: len(ranked) - len(kept)]), key=_order)
    return train, held_out


def spell(words: Sequence[str]) -> str:
    """At most eight words, so that a thousand wrong ones do not fill the screen."""
    rest = f" and {len(words) - 8} more" if len(words) > 8 else ""
    return ", ".join(words[:8]) + rest


def _rank(path: str) -> float:
    """A number in [0, 1), uniform over paths; unlike ``hash`` it is the same in every process."""
    digest = hashlib.blake2b(os.fsencode(composed(path)), digest_size=6).digest()
    return int.from_bytes(digest, "big") / 2**48


def _order(file: ImageFile) -> tuple[str, str]:
    return name_order(file.path)

"""Folders that hold the splits of a data set, by their names."""

import re
from pathlib import Path

from lit_an.data.sources.base import Split
from lit_an.data.sources.listing import spell
from lit_an.data.sources.walking import sub_folders
from lit_an.errors import InputError

# What data sets call their splits, with what they put before and behind: Train, seg_train, training_set, val2017, …
_AFFIX = (
    r"(?:seg|set|images?|imgs?|pics?|pictures?|photos?|data(?:set)?|split|folder|source|visual|original|raw|jpe?g|png"
    r"|\d+(?!\d))"  # a number as a whole, or a long one would be parted in all ways, which takes for ever
)
_NAME = re.compile(
    rf"(?:{_AFFIX}[\s._-]*)*(?:(?P<train>train(?:ing)?)|(?P<val>val(?:id(?:ation)?)?)|(?P<test>test(?:ing)?))"
    rf"(?:[\s._-]*{_AFFIX})*"
)


def split_called(name: str) -> Split | None:
    """The split that a folder's name stands for, or None.

    Example:
        >>> [split_called(name) for name in ("Train", "seg_train", "validation-images", "training_set", "trainers")]
        ['train', 'train', 'val', 'train', None]
    """
    found = _NAME.fullmatch(name.lower())
    return None if found is None else found.lastgroup  # type: ignore[return-value]


def split_folders(root: Path, otherwise: str) -> dict[Split, Path]:
    """The folders of the splits in a folder, if it is split: at least ``train`` and ``val``.

    ``train`` may be called ``training``, ``val`` ``valid`` or ``validation``, ``test`` ``testing``, in capitals too,
    with ``images``, ``set``, a number and the like before or behind. A folder with one such name among others is not
    split: a class may be called ``train``.

    Args:
        root: the folder.
        otherwise: what it could hold instead, for the error sentence.

    Returns:
        The folder of each split; nothing where it is not split.

    Raises:
        InputError: it looks split, but ``train`` or ``val`` is missing, or two folders stand for one split.
    """
    names = sub_folders(root)
    named = _named(names)
    looks_split = len(named) > 1 or (names and len(named) == 1 and all(split_called(name) for name in names))
    if not looks_split:
        return {}
    found = spell(sorted(name for folders in named.values() for name in folders))
    double = next((folders for folders in named.values() if len(folders) > 1), None)
    if double is not None:
        raise InputError(
            f"data: root={str(root)!r} is split into {found}; {spell(double)} look like one split: rename or remove "
            f"all but one"
        )
    if not {"train", "val"} <= named.keys():
        raise InputError(
            f"data: root={str(root)!r} is split into {found}; the sub-folders must be called "
            f"train, val and, if you like, test (or name {otherwise} as root: a part is then held out)"
        )
    return {split: root / folders[0] for split, folders in named.items()}


def named_splits(root: Path) -> dict[Split, Path]:
    """The sub-folders that are called like a split, whatever else there is; of several like one, the first.

    Raises:
        InputError: the folder cannot be read.
    """
    return {split: root / folders[0] for split, folders in _named(sub_folders(root)).items()}


def _named(names: list[str]) -> dict[Split, list[str]]:
    named: dict[Split, list[str]] = {}
    for name in names:
        split = split_called(name)
        if split is not None:
            named.setdefault(split, []).append(name)
    return named

"""Every source on small real files, for the tests that ask all of them; a new source takes a place in ``SOURCES``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from lit_an.data.preparation import plan_of, prepare
from lit_an.data.shards.manifest import Recipe
from lit_an.data.sources import (
    CelebAHQ,
    Earth,
    ImageFolder,
    ImageNet,
    ParisStreetView,
    Photographs,
    Places365,
    Prepared,
    Source,
)
from lit_an.data.sources.base import SPLITS, Split
from lit_an.errors import InputError
from tests.photo_folders import WNIDS, make_classes, make_faces, make_paris, make_photographs, make_places

SIZE = 16


class Small(NamedTuple):
    """A source on small files.

    Attributes:
        kind: its class.
        arguments: makes the files in a folder; returns what the class is given.
        lengths: of train, val and test.
    """

    kind: Callable[..., Source]
    arguments: Callable[[Path], dict[str, Any]]
    lengths: tuple[int, int, int]


def in_splits(root: Path) -> dict[str, Any]:
    for split, number in zip(SPLITS, (4, 2, 1), strict=True):
        make_classes(root / split, ("cat", "dog", "emu"), number)
    return {"root": root}


def wordnet_ids(root: Path) -> dict[str, Any]:
    for split, number in (("train", 4), ("val", 2)):
        make_classes(root / split, WNIDS, number, "JPEG")
    return {"root": root}


def shards(root: Path) -> dict[str, Any]:
    source = ImageFolder(make_classes(root / "images", ("cat", "dog", "emu"), 8), val_fraction=0.3)
    prepare(plan_of(source, SIZE), root / "shards", Recipe(SIZE, "png", images_per_shard=5))
    return {"root": root / "shards"}


def same(first: tuple[Any, ...], second: tuple[Any, ...]) -> bool:
    """Whether two items or batches are equal; a field may be None in both."""
    pairs = list(zip(first, second, strict=True))
    return all(a is b is None or (a is not None and b is not None and torch.equal(a, b)) for a, b in pairs)


def names_of(source: Source, split: Split) -> list[str]:
    """The names of a split's pictures in their order."""
    pictures = source.pictures(split, SIZE)
    return [pictures.name(index) for index in range(len(pictures))]


def refusal(kind: Callable[..., Source], root: Path, split: Split = "train", **arguments: object) -> str:
    """The sentence that a source says instead of opening a split; it has one line."""
    with pytest.raises(InputError) as caught:
        kind(root, **arguments).open(split, SIZE)
    assert "\n" not in str(caught.value)
    return str(caught.value)


SOURCES = {
    "ImageFolder": Small(
        ImageFolder,
        lambda root: {"root": make_classes(root, ("cat", "dog", "emu"), 8), "val_fraction": 0.3},
        (14, 10, 10),
    ),
    "ImageFolder in splits": Small(ImageFolder, in_splits, (12, 6, 3)),
    "ImageNet": Small(ImageNet, wordnet_ids, (12, 6, 6)),
    "Places365": Small(Places365, lambda root: {"root": make_places(root)}, (6, 4, 4)),
    "CelebAHQ": Small(CelebAHQ, lambda root: {"root": make_faces(root)}, (28, 2, 2)),
    "ParisStreetView": Small(ParisStreetView, lambda root: {"root": make_paris(root)}, (6, 3, 3)),
    "Photographs": Small(Photographs, lambda root: {"root": make_photographs(root)}, (27, 3, 3)),
    "climates": Small(Earth, lambda root: {"cache_dir": root, "window": 64, "stride": 96}, (189, 27, 27)),
    "coasts": Small(
        Earth, lambda root: {"cache_dir": root, "tiles": "coasts", "window": 64, "stride": 64}, (234, 47, 30)
    ),
    "Prepared": Small(Prepared, shards, (14, 10, 10)),
}

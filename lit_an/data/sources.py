"""What shards can be made of: a source gives each split's pictures, one by one, by their number."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from PIL import Image

from lit_an.data.base import LabelledImages
from lit_an.data.earth_tiles import EarthTiles, TileSplit
from lit_an.data.image_decoding import conversions
from lit_an.data.image_folder import FolderImages, ImageFolder
from lit_an.data.imagenet import ImageNet, is_imagenet
from lit_an.data.listing import ENDINGS
from lit_an.data.transforms import crop_to_square, read_image
from lit_an.errors import InputError

EARTH_TILES = "earth_tiles"


class Picture(NamedTuple):
    """One prepared picture.

    Attributes:
        image: RGB, S × S.
        regions: (S, S), uint8, or None where a source has none.
        conversions: what had to be changed of the file.
    """

    image: Image.Image
    regions: np.ndarray | None
    conversions: list[str]


class SourceSplit(Protocol):
    """The pictures of a split, by number."""

    @property
    def labels(self) -> list[int]:
        """The label of each picture."""
        ...

    def name(self, index: int) -> str:
        """What the report calls a picture."""
        ...

    def listing(self) -> Iterator[str]:
        """A line per picture that changes when the picture is likely to have changed."""
        ...

    def picture(self, index: int) -> Picture:
        """A picture; raises InputError if its file cannot be read."""
        ...


class FileSplit:
    """Files, as ``ImageFolder`` and ``ImageNet`` list them."""

    def __init__(self, images: FolderImages) -> None:
        self.folder, self.paths, self.image_size = images.folder, images.paths, images.image_size
        self._labels = images.label.numpy()

    @property
    def labels(self) -> list[int]:
        return [int(label) for label in self._labels]

    def name(self, index: int) -> str:
        return str(self.folder / self.paths[index])

    def listing(self) -> Iterator[str]:
        for path, label in zip(self.paths, self._labels, strict=True):
            yield f"{path}\t{label}\t{os.path.getsize(self.folder / path)}"

    def picture(self, index: int) -> Picture:
        path = self.folder / self.paths[index]
        image = crop_to_square(read_image(path, self.image_size), self.image_size)
        return Picture(image, None, conversions(path))


class TileSource:
    """EarthTiles, with their regions."""

    def __init__(self, tiles: TileSplit) -> None:
        self.tiles = tiles

    @property
    def labels(self) -> list[int]:
        return [int(label) for label in self.tiles.label[self.tiles.positions]]

    def name(self, index: int) -> str:
        return f"tile {int(self.tiles.positions[index])}"

    def listing(self) -> Iterator[str]:
        for position in self.tiles.positions.tolist():
            yield f"{position}\t{int(self.tiles.label[position])}"

    def picture(self, index: int) -> Picture:
        position = int(self.tiles.positions[index])
        image = Image.fromarray(np.ascontiguousarray(self.tiles.image[position].numpy().transpose(1, 2, 0)))
        return Picture(image, self.tiles.regions[position].numpy(), [])


class Source(NamedTuple):
    """Something to make shards of.

    Attributes:
        class_names: in the order of their labels.
        splits: the pictures of each split.
        passed_over: files in the class folders that are no images by their names.
    """

    class_names: list[str]
    splits: dict[str, SourceSplit]
    passed_over: list[str]


def open_source(
    source: str,
    image_size: int,
    classes: list[str] | int | None = None,
    val_fraction: float = 0.1,
    val_labels: str | None = None,
) -> Source:
    """Lists the pictures of a folder, laid out like ImageNet or one that ``ImageFolder`` takes, or of EarthTiles.

    Args:
        source: the folder, or ``earth_tiles``.
        image_size: side of the pictures in pixels.
        classes: for ImageNet, see ``lit_an.data.ImageNet``.
        val_fraction: for class folders without ``val``, see ``lit_an.data.ImageFolder``.
        val_labels: for ImageNet, see there.

    Raises:
        InputError: the folder is not as those classes want it, or ``classes`` is given for another source.
    """
    root = Path(source).expanduser()
    if source != EARTH_TILES and is_imagenet(root):
        return _of_files(ImageNet(root, image_size, classes, val_labels), root, ["train", "val"])
    if classes is not None or val_labels is not None:
        raise InputError(
            f"prepare: classes and val_labels are for ImageNet's layout, train/nXXXXXXXX, which {source!r} has not"
        )
    if source == EARTH_TILES:
        tiles = EarthTiles(image_size)
        splits = {split: TileSource(tiles.dataset(split)) for split in ("train", "val", "test")}  # type: ignore[arg-type]
        return Source(tiles.class_names, splits, [])  # type: ignore[arg-type]
    folder = ImageFolder(root, image_size, val_fraction)
    own_test = folder.has_split_folders and (root / "test").is_dir()
    return _of_files(folder, root, ["train", "val", "test"] if own_test else ["train", "val"])


def _of_files(data: LabelledImages, root: Path, names: list[str]) -> Source:
    splits: dict[str, SourceSplit] = {name: FileSplit(data.dataset(name)) for name in names}  # type: ignore[arg-type]
    return Source(data.class_names, splits, sorted(_no_images(root)))


def _no_images(root: Path) -> Iterator[str]:
    """Files at least one folder down: what lies in ``root`` itself is the data set's own paperwork."""
    for place, folders, files in os.walk(root, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        if Path(place) == root:
            continue
        yield from (os.path.join(place, name) for name in files if not name.lower().endswith(ENDINGS))

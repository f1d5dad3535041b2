"""What shards can be made of: a source gives each split's pictures, one by one, by their number."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, get_args

import numpy as np
from PIL import Image

from lit_an.data.base import Split
from lit_an.data.celeba_hq import CelebAHQ
from lit_an.data.earth_tiles import EarthTiles, TileSplit
from lit_an.data.image_decoding import conversions
from lit_an.data.image_folder import FolderImages, ImageFolder
from lit_an.data.imagenet import ImageNet, is_imagenet
from lit_an.data.paris_street_view import ParisStreetView, is_paris
from lit_an.data.photographs import Photographs
from lit_an.data.places365 import Places365, Size, is_places365, sizes_in, variant_in
from lit_an.data.split_folders import split_called
from lit_an.data.transforms import crop_to_square, read_image
from lit_an.data.walking import LeftOut, files_in, sub_folders
from lit_an.errors import InputError
from lit_an.image_files import is_image

Layout = Literal[
    "auto", "imagenet", "classes", "photographs", "places365", "celeba_hq", "paris_street_view", "earth_tiles"
]
Unlabelled = Photographs | Places365 | CelebAHQ | ParisStreetView

# The class of photographs that have none.
ONLY_CLASS = "all"


class Lists(NamedTuple):
    """Lists of files that are the splits; see ``lit_an.data.Photographs``."""

    train: str | None = None
    val: str | None = None
    test: str | None = None


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
        """A line per picture: which it is, and its label."""
        ...

    def digest(self, index: int) -> str:
        """Of all that a picture is made of: it changes whenever that does."""
        ...

    def picture(self, index: int) -> Picture:
        """A picture; raises InputError if its file cannot be read."""
        ...


class FileSplit:
    """Files, as the data modules list them.

    Args:
        folder: what the paths are relative to.
        paths: of the files.
        labels: of the files, (N,), int64.
        image_size: side of the pictures in pixels.
    """

    def __init__(self, folder: Path, paths: Sequence[str], labels: np.ndarray, image_size: int) -> None:
        self.folder, self.paths, self.image_size = folder, paths, image_size
        self._labels = labels

    @property
    def labels(self) -> list[int]:
        return [int(label) for label in self._labels]

    def name(self, index: int) -> str:
        return str(self.folder / self.paths[index])

    def listing(self) -> Iterator[str]:
        for path, label in zip(self.paths, self._labels, strict=True):
            yield f"{path}\t{label}"

    def digest(self, index: int) -> str:
        try:
            return hashlib.sha256((self.folder / self.paths[index]).read_bytes()).hexdigest()
        except OSError:
            return "unreadable"

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

    def digest(self, index: int) -> str:
        position = int(self.tiles.positions[index])
        parts = (np.ascontiguousarray(part[position].numpy()) for part in (self.tiles.image, self.tiles.regions))
        return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()

    def picture(self, index: int) -> Picture:
        position = int(self.tiles.positions[index])
        image = Image.fromarray(np.ascontiguousarray(self.tiles.image[position].numpy().transpose(1, 2, 0)))
        return Picture(image, self.tiles.regions[position].numpy(), [])


class Source(NamedTuple):
    """Something to make shards of.

    Attributes:
        class_names: in the order of their labels.
        splits: the pictures of each split.
        passed_over: files and links that are not taken, see ``lit_an.data.walking.LeftOut``.
        notes: the same in one line for each folder, by endings.
    """

    class_names: list[str]
    splits: dict[str, SourceSplit]
    passed_over: list[str]
    notes: Sequence[str] = ()


def open_source(
    source: str,
    image_size: int,
    classes: list[str] | int | None = None,
    val_fraction: float = 0.1,
    val_labels: str | None = None,
    layout: Layout = "auto",
    lists: Lists = Lists(),  # noqa: B008, it is a tuple
) -> Source:
    """Lists the pictures of a folder, labelled or not, or of EarthTiles.

    Args:
        source: the folder, or ``earth_tiles``.
        image_size: side of the pictures in pixels.
        classes: for ImageNet, see ``lit_an.data.ImageNet``.
        val_fraction: share held out where a folder has no ``val``.
        val_labels: for ImageNet, see there.
        layout: how the folder is laid out; ``auto`` finds out.
        lists: for ``photographs`` and ``celeba_hq``, see ``lit_an.data.Photographs``.

    Raises:
        InputError: the folder is not as its layout wants it, or an argument is given that is for another one.
    """
    root = Path(source).expanduser()
    if layout == "auto":
        layout = layout_of(source)
    if layout not in get_args(Layout):
        raise InputError(f"prepare: layout must be one of {', '.join(get_args(Layout))}, got {layout!r}")
    if layout != "imagenet" and (classes is not None or val_labels is not None):
        raise InputError(
            f"prepare: classes and val_labels are for ImageNet's layout, train/nXXXXXXXX, which {source!r} has not"
        )
    if layout not in ("photographs", "celeba_hq") and any(lists):
        raise InputError(f"prepare: lists are for the layouts photographs and celeba_hq; {source!r} is {layout}")
    if layout == "earth_tiles":
        tiles = EarthTiles(image_size)
        splits = {split: TileSource(tiles.dataset(split)) for split in ("train", "val", "test")}  # type: ignore[arg-type]
        return Source(tiles.class_names, splits, [])  # type: ignore[arg-type]
    if layout == "imagenet":
        return _of_classes(ImageNet(root, image_size, classes, val_labels))
    if layout == "classes":
        return _of_classes(ImageFolder(root, image_size, val_fraction))
    return _of_photographs(_photographs(layout, root, image_size, val_fraction, lists))


def layout_of(source: str) -> Layout:
    """What a source looks like; a folder that looks like nothing else should have class folders.

    Photographs without classes are told from others by lying in the folder itself, or in its split folders.
    """
    root = Path(source).expanduser()
    if source == "earth_tiles":
        return "earth_tiles"
    if is_imagenet(root):
        return "imagenet"
    if is_places365(root):
        return "places365"
    if is_paris(root):
        return "paris_street_view"
    if not root.is_dir():
        return "classes"
    named = {split_called(name): root / name for name in sub_folders(root)}
    inside = named["train"] if {"train", "val"} <= named.keys() else root
    flat = not sub_folders(inside) and any(map(is_image, files_in(inside)))
    return "photographs" if flat else "classes"


def _photographs(layout: Layout, root: Path, image_size: int, val_fraction: float, lists: Lists) -> Unlabelled:
    if layout == "places365":
        # In their own shape where there are both: the small ones are squeezed.
        size: Size = "large" if "large" in sizes_in(root) else "small"
        return Places365(root, image_size, size=size, variant=variant_in(root, size))
    if layout == "paris_street_view":
        return ParisStreetView(root, image_size)
    train_list, val_list, test_list = lists
    if layout == "celeba_hq":
        return CelebAHQ(root, image_size, train_list=train_list, val_list=val_list, test_list=test_list)
    return Photographs(
        root,
        image_size,
        val_fraction=val_fraction,
        train_list=train_list,
        val_list=val_list,
        test_list=test_list,
    )


def _of_classes(data: ImageNet | ImageFolder) -> Source:
    splits: dict[str, SourceSplit] = {}
    left_out: dict[Path, LeftOut] = {}
    for name in _names(data.has_test):
        images = data.dataset(name)
        assert isinstance(images, FolderImages)
        splits[name] = FileSplit(images.folder, images.paths, images.label.numpy(), images.image_size)
        left_out[images.folder] = images.left_out
    return Source(data.class_names, splits, *_told(left_out))


def _of_photographs(data: Unlabelled) -> Source:
    """All are of one class, so that shards of one format serve labelled images and others."""
    splits: dict[str, SourceSplit] = {}
    left_out: dict[Path, LeftOut] = {}
    for name in _names(data.has_test):
        photos = data.photos(name)
        labels = np.zeros(len(photos), dtype=np.int64)
        splits[name] = FileSplit(photos.folder, photos.paths, labels, data.image_size)
        # Beside lists only the split that is not listed has any.
        left_out[photos.folder] = photos.left_out if str(photos.left_out) else left_out.get(photos.folder, LeftOut())
    return Source([ONLY_CLASS], splits, *_told(left_out))


def _names(has_test: bool) -> list[Split]:
    return ["train", "val", "test"] if has_test else ["train", "val"]


def _told(left_out: dict[Path, LeftOut]) -> tuple[list[str], list[str]]:
    """The paths of what is left out, and a line for each folder."""
    paths = sorted(str(folder / path) for folder, kinds in left_out.items() for kind in kinds for path in kind)
    return paths, [f"in {str(folder)!r} {kinds}" for folder, kinds in left_out.items() if str(kinds)]

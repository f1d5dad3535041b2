"""ImageNet as it is unpacked: ``train/nXXXXXXXX/*.JPEG`` and ``val/``, sorted or flat."""

import os
from pathlib import Path

from lit_an.data.sources.base import FilePictures, Source, Split
from lit_an.data.sources.image_folder import list_images
from lit_an.data.sources.imagenet_labels import WORDNET_ID, class_names, validation_labels
from lit_an.data.sources.listing import ImageFile, spell
from lit_an.data.sources.split_folders import named_splits
from lit_an.data.sources.walking import LeftOut, files_in, sub_folders
from lit_an.errors import InputError
from lit_an.images.files import is_folder, is_image


class ImageNet(Source):
    """ImageNet, or a subset of its classes, labeled in the order of their WordNet ids.

    ``root`` holds ``train`` with a folder per class, named by its WordNet id, and ``val``: in the same class folders,
    or flat, in Tiny ImageNet in ``val/images``. The class of a flat image is read from ``LOC_val_solution.csv``, from a
    ``val_labels.txt`` (or ``.csv``, ``val.txt``) with lines ``file wnid``, or from the development kit
    (``ILSVRC2012_validation_ground_truth.txt`` with its ``meta.mat``, which needs SciPy), each in ``root``, in ``val``,
    or in the kit's own folder below ``root``. ``test`` is ``val``: the labels of ImageNet's test images are not public.

    A class is called by its WordNet id, followed by its first word where ``LOC_synset_mapping.txt`` or ``words.txt``
    is there.

    Args:
        root: the folder; ``~`` is expanded.
        classes: WordNet ids to keep, or how many: the first in the order of their ids; None keeps all.
        val_labels: the file that says what a flat validation image shows, where it lies elsewhere.

    Raises:
        InputError: a folder that is missing or not laid out like that, or a class that is not there; later, a class
            without images, or validation images without labels.

    Source: Russakovsky et al., "ImageNet large scale visual recognition challenge", IJCV 2015.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        classes: list[str] | int | None = None,
        val_labels: str | None = None,
    ) -> None:
        self.root = Path(root).expanduser()
        self.val_labels = None if val_labels is None else Path(val_labels).expanduser()
        self.splits = named_splits(self.root) if self.root.is_dir() else {}
        self.wnids = choose_classes(find_wnids(self.root, self.splits.get("train")), classes)
        self._class_names = class_names(self.root, self.wnids)

    @property
    def class_names(self) -> list[str]:
        return list(self._class_names)

    def open(self, split: Split, image_size: int) -> FilePictures:
        folder = self.splits.get(split)
        if folder is None:
            raise InputError(f"data: {str(self.root)!r} has no folder 'val'; unpack ILSVRC2012_img_val.tar into one")
        files, left_out = self._sorted(folder) if _has_wnids(folder) else self._flat(folder)
        return FilePictures.labeled(folder, files, left_out)

    def _sorted(self, folder: Path) -> tuple[list[ImageFile], LeftOut]:
        missing = sorted(set(self.wnids) - set(sub_folders(folder)))
        if missing:
            raise InputError(f"data: {str(folder)!r} has no folder of the class {spell(missing)}; unpack all of it")
        return list_images(folder, self.wnids)

    def _flat(self, folder: Path) -> tuple[list[ImageFile], LeftOut]:
        is_flat = any(map(is_image, files_in(folder))) or not (folder / "images").is_dir()
        inside = "" if is_flat else "images/"
        there = files_in(folder / inside)
        images = list(filter(is_image, there))
        if not images:
            raise InputError(f"data: the folder {str(folder)!r} holds neither class folders nor images")
        label_of = {wnid: label for label, wnid in enumerate(self.wnids)}
        wnid_of = validation_labels(self.root, folder, images, self.val_labels)
        files = [ImageFile(inside + name, label_of[wnid]) for name, wnid in wnid_of.items() if wnid in label_of]
        missing = set(range(len(self.wnids))) - {file.label for file in files}
        if missing:
            raise InputError(f"data: no image in {str(folder)!r} is of the class {self.wnids[min(missing)]}")
        left_out = LeftOut([inside + name for name in there if not is_image(name)])
        return sorted(files, key=lambda file: (file.label, file.path)), left_out


def is_imagenet(root: Path) -> bool:
    """Whether a folder is laid out like ImageNet: a training folder with folders named by WordNet ids."""
    train = named_splits(root).get("train") if root.is_dir() else None
    return train is not None and _has_wnids(train)


def find_wnids(root: Path, folder: Path | None) -> list[str]:
    """The sorted WordNet ids of the class folders in the training folder.

    Raises:
        InputError: there are none, or there are other folders among them.
    """
    if folder is None:
        raise InputError(
            f"data: there is no folder {str(root / 'train')!r}; root must hold train/nXXXXXXXX/*.JPEG and val"
        )
    names = sub_folders(folder)
    odd = [name for name in names if not WORDNET_ID.fullmatch(name)]
    if odd or not names:
        found = f"{odd[0]!r} is none" if odd else "there are no folders"
        raise InputError(
            f"data: the folders in {str(folder)!r} must be called by WordNet ids such as n01440764, but {found}; "
            f"for folders of other names take lit_an.data.sources.ImageFolder"
        )
    return names


def choose_classes(wnids: list[str], classes: list[str] | int | None) -> list[str]:
    """The WordNet ids to keep, sorted.

    Raises:
        InputError: an unknown or repeated id, or fewer than two classes.

    Example:
        >>> choose_classes(["n01440764", "n01443537", "n01484850"], 2)
        ['n01440764', 'n01443537']
    """
    if classes is None:
        return wnids
    if isinstance(classes, int):
        if not 2 <= classes <= len(wnids):
            raise InputError(f"data: classes must be between 2 and {len(wnids)}, the classes there are, got {classes}")
        return wnids[:classes]
    unknown = sorted(set(classes) - set(wnids))
    if unknown:
        raise InputError(f"data: classes names {unknown[0]!r}, which is no folder in train; it has {len(wnids)} others")
    if len(set(classes)) != len(classes) or len(classes) < 2:
        raise InputError("data: classes must name at least two different WordNet ids")
    return sorted(classes)


def _has_wnids(folder: Path) -> bool:
    return any(WORDNET_ID.fullmatch(entry.name) and is_folder(entry) for entry in os.scandir(folder))

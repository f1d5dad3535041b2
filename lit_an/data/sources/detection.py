"""Which source a folder is of, by how it is laid out."""

import os
import re
from pathlib import Path

from lit_an.data.sources.base import Source
from lit_an.data.sources.earth import Earth
from lit_an.data.sources.image_folder import ImageFolder
from lit_an.data.sources.imagenet import ImageNet, is_imagenet
from lit_an.data.sources.paris_street_view import ParisStreetView, is_paris
from lit_an.data.sources.photographs import Photographs
from lit_an.data.sources.places365 import Places365, is_places365
from lit_an.data.sources.split_folders import named_splits
from lit_an.data.sources.walking import files_in, sub_folders
from lit_an.errors import InputError
from lit_an.images.files import is_image

EARTH = "earth"


def source_at(place: str | os.PathLike[str]) -> Source:
    """The source in a folder, or ``earth``.

    ImageNet, Places365 and Paris StreetView are known by their folders. Photographs without classes are told from
    others by lying in the folder itself, or in its split folders; everything else should have class folders.

    Raises:
        InputError: the folder is missing, or not as such a source wants it.
    """
    root = Path(place).expanduser()
    if str(place) == EARTH and not root.exists():
        return Earth()
    if not root.exists() and re.fullmatch(r"[A-Za-z_]\w*(\.\w+)+", str(place)):
        raise InputError(
            f"data: there is neither a folder nor a class {str(place)!r}; give a folder, {EARTH!r}, or a class of "
            "lit_an.data.sources"
        )
    for fits, kind in ((is_imagenet, ImageNet), (is_places365, Places365), (is_paris, ParisStreetView)):
        if fits(root):
            return kind(root)
    return Photographs(root) if root.is_dir() and _is_flat(root) else ImageFolder(root)


def _is_flat(root: Path) -> bool:
    named = named_splits(root)
    inside = named["train"] if {"train", "val"} <= named.keys() else root
    return not sub_folders(inside) and any(map(is_image, files_in(inside)))

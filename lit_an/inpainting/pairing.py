"""Finds the pictures of a folder, the mask of each, and the name of each result."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath

from lit_an.errors import InputError
from lit_an.images.files import ImageFiles, composed, count_by_ending, find_images, is_same_file

# The mask of scene.jpg may be called scene.png or scene_mask.png.
MASK_SUFFIX = "_mask"


def pictures_in(root: Path, without: Iterable[Path] = (), option: str = "--images") -> ImageFiles:
    """The picture files in a folder and its sub-folders; see ``lit_an.images.files.find_images``.

    Args:
        root: the folder, or one picture.
        without: files and folders to leave out.
        option: the option that named the folder, for error sentences.

    Raises:
        InputError: there is no picture, or the folder lies in one of the places to leave out.
    """
    if not root.exists():
        raise InputError(f"{option} {root}: there is no such file or folder")
    without = list(without)
    for place in without:
        if _lies_in(_real(root), _real(place)):
            raise InputError(f"{option} {root}: it lies in {place}, which is for masks or results; give two folders")
    if root.is_file():
        return ImageFiles([Path(root.name)], {})
    found = find_images(root, without)
    if not found.images:
        others = f"; it holds {count_by_ending(found.left_out)}" if found.left_out else ""
        raise InputError(f"{option} {root}: there is no picture in it{others}")
    return found


class Masks:
    """The mask file of each picture.

    Args:
        root: a folder whose files are called as the pictures are, at the same place below it, with any ending and with
            or without ``_mask``; or one file, the mask of all. Names in composed and decomposed form are the same.
            ``gas_mask.png`` is the mask of the picture ``gas_mask`` if there is one and ``gas`` has one of its own.
        images: the folder of pictures, or the one picture. In that folder itself the masks are called ``…_mask``. A
            picture is never its own mask, also through links.

    Raises:
        InputError: no such file or folder, or no picture in it.
    """

    def __init__(self, root: Path, images: Path) -> None:
        self.root, self.images = root, images
        folder = images.parent if images.is_file() else images
        self._among_pictures = root.is_dir() and is_same_file(root, folder)
        if not root.exists():
            raise InputError(f"--masks {root}: there is no such file or folder")
        self._files: dict[str, list[Path]] = {}
        if root.is_dir():
            for path in find_images(root).images:
                self._files.setdefault(_without_ending(path), []).append(root / path)
            if not self._files:
                raise InputError(f"--masks {root}: there is no picture in it")

    def of(self, picture: Path) -> Path:
        """The mask of a picture, whose path is relative to the folder of pictures.

        Raises:
            InputError: none, or several, of which none is called just like the picture or some have ``_mask`` and some
                have not.
        """
        own = self.images if self.images.is_file() else self.images / picture
        if self.root.is_file():
            if is_same_file(self.root, own):
                raise InputError(
                    f"it has no mask: {self.root} is the picture itself; give --masks a picture of its hole"
                )
            return self.root
        stem = _without_ending(picture)
        marked = stem + MASK_SUFFIX
        plain, suffixed = [] if self._among_pictures else self._called(stem, own), self._called(marked, own)
        # Beside gas.png, gas_mask.png may be another mask of gas, or that of a picture gas_mask.
        unclear = plain and suffixed and marked not in self._pictures
        found = [*plain, *suffixed] if unclear else plain or suffixed
        exactly = [] if unclear else [path for path in found if path.name == picture.name]
        if len(found) > 1 and not exactly:
            raise InputError(f"it has {len(found)} masks: {', '.join(path.name for path in found)}; keep one")
        if found:
            return (exactly or found)[0]
        if self._among_pictures:
            raise InputError(f"it has no mask: {self.root} holds no {marked}.*")
        itself = ", and a picture is not its own mask" if self._files.get(stem) else ""
        raise InputError(f"it has no mask: {self.root} holds neither {stem}.* nor {marked}.*{itself}")

    def _called(self, name: str, own: Path) -> list[Path]:
        return [path for path in self._files.get(name, []) if not is_same_file(path, own)]

    @cached_property
    def _pictures(self) -> set[str]:
        """The pictures, without their endings."""
        names = [Path(self.images.name)] if self.images.is_file() else find_images(self.images).images
        return set(map(_without_ending, names))

    def beside(self) -> list[Path]:
        """The masks in the folder of pictures.

        Of ``gas_mask.png`` and ``gas_mask_mask.png`` the second alone, unless there is a picture ``gas``.
        """
        if self._among_pictures:
            stems = {name: name.removesuffix(MASK_SUFFIX) for name in self._files if name.endswith(MASK_SUFFIX)}
            return [path for name, stem in stems.items() if stem in self._files for path in self._files[name]]
        return [] if _lies_in(_real(self.images), _real(self.root)) else [self.root]


def result_names(pictures: Sequence[Path], ending: str | None) -> list[Path]:
    """A unique name for each result, ignoring case.

    Args:
        pictures: relative paths.
        ending: of the results, such as ``.png``; None keeps each picture's own.

    Example:
        >>> [str(name) for name in result_names([Path("a.png"), Path("a.jpg"), Path("b.jpg")], ".png")]
        ['a.png', 'a.jpg.png', 'b.png']
    """
    if ending is None:
        return list(pictures)
    wanted = [path.with_suffix(ending) for path in pictures]
    takers = Counter(_folded(path) for path in wanted)
    own = {_folded(path) for path in pictures if path.suffix.lower() == ending}
    names: list[Path] = []
    taken = set(own)
    for path, name in zip(pictures, wanted, strict=True):
        if path.suffix.lower() == ending:
            names.append(path)
            continue
        if takers[_folded(name)] > 1 or _folded(name) in taken:
            name = path.with_name(path.name + ending)
        while _folded(name) in taken:
            name = name.with_name(f"{name.stem}_{ending}")
        taken.add(_folded(name))
        names.append(name)
    return names


def _real(path: Path) -> Path:
    # Not Path.resolve, which raises an error for a link that leads to itself.
    return Path(os.path.realpath(path))


def _lies_in(path: Path, place: Path) -> bool:
    return path == place or place in path.parents


def _without_ending(path: Path) -> str:
    return composed(PurePosixPath(path.with_suffix("")).as_posix())


def _folded(path: Path) -> str:
    return composed(path.as_posix()).casefold()

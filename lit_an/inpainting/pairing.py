"""Which files: pictures of a folder, the mask of each, and the name of what becomes of it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from PIL import Image

from lit_an.errors import InputError

# The mask of scene.jpg may be called scene.png or scene_mask.png.
MASK_SUFFIX = "_mask"


def pictures_in(root: Path, without: Iterable[Path] = (), option: str = "--images") -> list[Path]:
    """The picture files in a folder and those below it, relative to it and sorted; hidden ones are left out.

    Args:
        root: the folder, or one picture.
        without: files and folders to leave out.
        option: that named the folder, for sentences.

    Raises:
        InputError: nothing there.
    """
    if root.is_file():
        return [Path(root.name)]
    if not root.is_dir():
        raise InputError(f"{option} {root}: there is no such file or folder")
    outside = [path.resolve() for path in without]
    found = [path for path in _picture_files(root) if not any(_lies_in(path.resolve(), each) for each in outside)]
    if not found:
        raise InputError(f"{option} {root}: there is no picture in it")
    return [path.relative_to(root) for path in found]


class Masks:
    """The mask file of each picture.

    Args:
        root: a folder whose files are called as the pictures are, at the same place below it, with any ending and with
            or without ``_mask``; or one file, the mask of all.

    Raises:
        InputError: no such file or folder, or no picture in it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        if not root.exists():
            raise InputError(f"--masks {root}: there is no such file or folder")
        self._files: dict[str, list[Path]] = {}
        if root.is_dir():
            for path in _picture_files(root):
                self._files.setdefault(_without_ending(path.relative_to(root)), []).append(path)
            if not self._files:
                raise InputError(f"--masks {root}: there is no picture in it")

    def of(self, picture: Path) -> Path:
        """The mask of a picture, whose path is relative to the folder of pictures.

        Raises:
            InputError: none, or several of which none is called just like the picture.
        """
        if self.root.is_file():
            return self.root
        stem = _without_ending(picture)
        for name in (stem + MASK_SUFFIX, stem):
            found = self._files.get(name, [])
            exactly = [path for path in found if path.name == picture.name]
            if len(found) > 1 and not exactly:
                raise InputError(f"it has {len(found)} masks: {', '.join(path.name for path in found)}; keep one")
            if found:
                return (exactly or found)[0]
        raise InputError(f"it has no mask: {self.root} holds neither {stem}.* nor {stem}{MASK_SUFFIX}.*")

    def beside(self, root: Path) -> list[Path]:
        """The masks that lie among the pictures of a folder and are none of them."""
        if self.root.is_file() or self.root.resolve() != root.resolve():
            return [self.root] if self.root.resolve() != root.resolve() else []
        return [path for name, paths in self._files.items() if name.endswith(MASK_SUFFIX) for path in paths]


def result_names(pictures: Sequence[Path], ending: str | None) -> list[Path]:
    """A name for what becomes of each picture, no two the same, whatever the letters' case.

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


def _picture_files(root: Path) -> list[Path]:
    endings = set(Image.registered_extensions())
    paths = (path for path in root.rglob("*") if path.suffix.lower() in endings and path.is_file())
    return sorted(path for path in paths if not any(part.startswith(".") for part in path.relative_to(root).parts))


def _lies_in(path: Path, place: Path) -> bool:
    return path == place or place in path.parents


def _without_ending(path: Path) -> str:
    return PurePosixPath(path.with_suffix("")).as_posix()


def _folded(path: Path) -> str:
    return path.as_posix().casefold()

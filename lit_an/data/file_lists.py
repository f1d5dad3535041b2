"""Splits that a user gives as lists of files."""

import os
from pathlib import Path

from lit_an.data.base import Split
from lit_an.data.listing import list_photographs, read_list
from lit_an.errors import InputError


class FileLists:
    """The splits as lists of files.

    Args:
        root: what their paths are relative to.
        train, val, test: the lists; ``~`` is expanded.

    Raises:
        InputError: there are lists, but none for validation.
    """

    def __init__(self, root: Path, train: str | None, val: str | None, test: str | None) -> None:
        given = {"train": train, "val": val, "test": test}
        self.root = root
        self.files = {split: Path(file).expanduser() for split, file in given.items() if file is not None}
        if self.files and "val" not in self.files:
            raise InputError(f"data: {next(iter(self.files))}_list needs a val_list beside it; give one")

    def __bool__(self) -> bool:
        return bool(self.files)

    @property
    def has_test(self) -> bool:
        """Whether there is a list for ``test``."""
        return "test" in self.files

    def paths(self, split: Split) -> list[str]:
        """The images of a split, in the order of its list.

        Raises:
            InputError: a list is missing, empty, or names a missing file, or leaves nothing to train on.
        """
        if split in self.files:
            return read_list(self.files[split], self.root)
        if split == "test":
            return self.paths("val")
        listed = {self._absolute(path) for other in self.files for path in self.paths(other)}  # type: ignore[arg-type]
        left = [path for path in list_photographs(self.root) if self._absolute(path) not in listed]
        if not left:
            raise InputError(f"data: the lists name all images below {str(self.root)!r}; none are left to train on")
        return left

    def _absolute(self, path: str) -> str:
        return os.path.abspath(self.root / path)

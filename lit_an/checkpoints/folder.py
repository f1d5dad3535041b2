"""The ``checkpoints`` folder of a run: which files it keeps, and which is the newest that is whole."""

import warnings
from pathlib import Path
from typing import Any, NamedTuple

from lit_an.checkpoints.files import load_checkpoint, write_file
from lit_an.checkpoints.format import NewerFormatError, is_finite, read_entries
from lit_an.checkpoints.places import LAST, checkpoint_files, numbered_in
from lit_an.errors import InputError
from lit_an.files import link_or_copy, remove_leftovers, replacing


class Newest(NamedTuple):
    """The checkpoint to go on from.

    Attributes:
        path: the newest whole one; None without any.
        damaged: a sentence for each newer one that cannot be used.
    """

    path: Path | None
    damaged: list[str]


class CheckpointFolder:
    """Numbered checkpoints, of which the newest ``keep`` stay, and ``last.ckpt``, which is the newest after any kill.

    Args:
        path: the folder; it is made when a checkpoint is written.
        keep: numbered checkpoints to keep, ≥ 1.
    """

    def __init__(self, path: Path, keep: int) -> None:
        self.path, self.keep = path, keep

    def write(self, checkpoint: dict[str, Any], iteration: int) -> Path:
        """Writes a checkpoint, whole or not at all, and removes the oldest.

        Args:
            checkpoint: as ``fit`` dumps it.
            iteration: its number.

        Returns:
            The numbered file.

        Raises:
            OutputError: the disk is full, or the folder cannot be written to; what was there stays.
        """
        numbered = self.path / f"iteration_{iteration:07d}.ckpt"
        with replacing(numbered, durable=True) as temporary:
            write_file(checkpoint, temporary)
            # Before it has its number, so that last.ckpt is never older than a numbered one.
            link_or_copy(temporary, self.path / LAST)
        self._remove_old(numbered, is_finite(checkpoint))
        return numbered

    def remove_leftovers(self) -> None:
        """Removes what a killed write has left, of this version and of earlier ones."""
        if self.path.is_dir():
            remove_leftovers(self.path)
            for part in self.path.glob(".*.part"):
                part.unlink()

    def _remove_old(self, newest: Path, finite: bool) -> None:
        """Keeps the newest ``keep``, and the newest one whose numbers are finite."""
        numbered = [newest, *(path for path in numbered_in(self.path) if path != newest)]
        kept, old = numbered[: self.keep], numbered[self.keep :]
        if old and not finite and not any(map(_is_finite_file, kept)):
            spared = next((path for path in old if _is_finite_file(path)), None)
            old = [path for path in old if path != spared]
        for path in old:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:  # the new one is written all the same
                warnings.warn(f"{path}: this old checkpoint cannot be removed ({error.strerror})", stacklevel=2)


def newest_whole(folder: Path) -> Newest:
    """The newest checkpoint of a folder that can be read from its first to its last byte.

    Args:
        folder: ``checkpoints`` of a run.

    Raises:
        NewerFormatError: one is of a newer format; going back behind it would lose what a newer version made.
    """
    damaged: list[str] = []
    tried: list[Path] = []
    for path in _by_age(folder):
        if any(path.samefile(other) for other in tried):  # last.ckpt has a number too
            continue
        tried.append(path)
        try:
            read_entries(load_checkpoint(path), str(path))
        except NewerFormatError:
            raise
        except InputError as error:
            damaged.append(str(error))
        else:
            return Newest(path, damaged)
    return Newest(None, damaged)


def _by_age(folder: Path) -> list[Path]:
    """All checkpoints, the newest first; those of other names last."""
    numbered = numbered_in(folder)
    others = [path for path in checkpoint_files(folder) if path not in numbered and path.name != LAST]
    return [*([folder / LAST] if (folder / LAST).is_file() else []), *numbered, *others]


def _is_finite_file(path: Path) -> bool:
    try:
        return is_finite(load_checkpoint(path))
    except InputError:
        return False

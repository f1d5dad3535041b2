"""Where checkpoints lie. Nothing heavy is imported here, since the command line asks before it starts anything."""

from pathlib import Path

from lit_an.files import TEMPORARY

LAST = "last.ckpt"
LOCK = ".lock"  # of a run folder, held by the process that trains there
_NUMBERED = "iteration_*.ckpt"
_SIGNS_OF_A_RUN = ("checkpoints", "config.yaml", "metrics.csv", "hparams.yaml", "events.out.tfevents*")


def checkpoints_in(folder: Path) -> Path | None:
    """Where the checkpoints of a run folder lie; None if it has none.

    Args:
        folder: a run folder, or its ``checkpoints``.
    """
    for place in (folder / "checkpoints", folder):
        if place.is_dir() and checkpoint_files(place):
            return place
    return None


def checkpoint_files(folder: Path) -> list[Path]:
    """All files of checkpoints in a folder, by name; not those that a process is writing, or that a killed one was."""
    return sorted(path for path in folder.glob("*.ckpt") if not path.name.startswith(TEMPORARY))


def numbered_in(folder: Path) -> list[Path]:
    """Numbered checkpoints, the newest first: by the time of writing, since a run may go back to an earlier iteration.

    Args:
        folder: ``checkpoints`` of a run; it need not exist.
    """
    found = (path for path in folder.glob(_NUMBERED) if path.is_file())
    return sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name), reverse=True)


def is_run_folder(folder: Path) -> bool:
    """Whether a folder is that of a run, with or without checkpoints."""
    return bool(checkpoint_files(folder)) or any(True for sign in _SIGNS_OF_A_RUN for _ in folder.glob(sign))


def is_empty(folder: Path) -> bool:
    """Whether nothing is in a folder but the lock of a run that has just begun, or was killed at its start."""
    return all(path.name == LOCK for path in folder.iterdir())

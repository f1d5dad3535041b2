"""Where checkpoints lie. Nothing heavy is imported here, since the command line asks before it starts anything."""

from pathlib import Path

LAST = "last.ckpt"
_NUMBERED = "iteration_*.ckpt"
_SIGNS_OF_A_RUN = ("checkpoints", "*.ckpt", "config.yaml", "metrics.csv", "hparams.yaml", "events.out.tfevents*")


def checkpoints_in(folder: Path) -> Path | None:
    """Where the checkpoints of a run folder lie; None if it has none.

    Args:
        folder: a run folder, or its ``checkpoints``.
    """
    for place in (folder / "checkpoints", folder):
        if place.is_dir() and any(place.glob("*.ckpt")):
            return place
    return None


def numbered_in(folder: Path) -> list[Path]:
    """Numbered checkpoints, the newest first: by the time of writing, since a run may go back to an earlier iteration.

    Args:
        folder: ``checkpoints`` of a run; it need not exist.
    """
    found = (path for path in folder.glob(_NUMBERED) if path.is_file())
    return sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name), reverse=True)


def is_run_folder(folder: Path) -> bool:
    """Whether a folder is that of a run, with or without checkpoints."""
    return any(True for sign in _SIGNS_OF_A_RUN for _ in folder.glob(sign))

"""Where a run's files go: one folder for each run, never over another's."""

import itertools
import os
from pathlib import Path

from lit_an.errors import InputError

_OPENED_EARLY = ("events.out.tfevents", "hparams.yaml", "mlflow.db")  # files of loggers
# In the environment of a run's processes: the folder that the first of them chose.
VARIABLE = "LIT_AN_RUN_FOLDER"

# What this process has made or found: (folders made for a run, outermost first; the files of its folder before it).
_CLAIMED: dict[str, tuple[list[Path], set[Path]]] = {}


def choose(chosen: str | None, checkpoint: str | None, name: str, fits: bool, rank: int = 0) -> str:
    """Where a run's files go; never over another run's, also when two start at once.

    Args:
        chosen: ``--run_folder``, or None.
        checkpoint: ``--ckpt_path``, or None; a run that goes on stays in its folder.
        name: of the config.
        fits: whether this run trains.
        rank: of this process; only the first makes the folder, since the others write nothing.

    Raises:
        InputError: the chosen folder holds another run, or the folder cannot be made or written to.
    """
    origin = None
    if checkpoint is not None:
        path = Path(checkpoint)
        origin = path.parent.parent if path.parent.name == "checkpoints" else path.parent
    if chosen is not None:
        folder = Path(chosen)
        if fits and _holds_a_run(folder) and (origin is None or folder.resolve() != origin.resolve()):
            raise InputError(
                f"--run_folder {chosen} holds a run already; choose another folder, or go on with "
                f"--ckpt_path {folder / 'checkpoints' / 'last.ckpt'}"
            )
        return _made(folder, rank)
    if origin is not None:
        return _made(origin, rank)
    return _claim(Path("runs", name), rank)


def _made(folder: Path, rank: int) -> str:
    """A folder that is there and can be written to."""
    if rank == 0:
        try:
            _make(folder, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"--run_folder {folder} cannot be made ({error.strerror}); choose a folder that you may write to"
            ) from error
        if not os.access(folder, os.W_OK | os.X_OK):
            raise InputError(f"{folder} cannot be written to; choose another place with --run_folder")
    return str(folder)


def _make(folder: Path, exist_ok: bool) -> None:
    missing = [place for place in (folder, *folder.parents) if not place.exists()][::-1]
    folder.mkdir(parents=True, exist_ok=exist_ok)
    _CLAIMED[str(folder)] = missing, set(folder.iterdir())


def _holds_a_run(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())


def _claim(first: Path, rank: int) -> str:
    """Makes the first folder of ``name``, ``name_2``, ``name_3``, … that does not exist yet."""
    for number in itertools.count(1):
        folder = first if number == 1 else first.with_name(f"{first.name}_{number}")
        try:
            if rank == 0:
                _make(folder, exist_ok=False)
        except FileExistsError:
            continue
        except OSError as error:
            raise InputError(
                f"{folder} cannot be made ({error.strerror}); choose a folder that you may write to with --run_folder"
            ) from error
        return str(folder)
    raise AssertionError("itertools.count has no end")


def give_back(folder: str | None) -> None:
    """Takes away what a run that came to nothing left: its folder, and the files that loggers open early."""
    if folder is None or folder not in _CLAIMED:
        return
    made, before = _CLAIMED.pop(folder)
    if not Path(folder).is_dir():
        return
    new = set(Path(folder).iterdir()) - before
    if all(file.is_file() and file.name.startswith(_OPENED_EARLY) for file in new):
        for file in new:
            file.unlink()
        for place in reversed(made):
            if not any(place.iterdir()):
                place.rmdir()


def where_to_look(folder: str) -> str:
    """What a finished run left in its folder, for a person."""
    places = {
        "samples": "sample grids over time",
        "inpainting": "filled holes over time, stage by stage",
        "layouts": "region maps over time",
        "predictions": "what sample or inpaint wrote",
        "metrics.csv": "the curves as a table",
        "wandb": "files of Weights & Biases",
        "mlflow.db": "database of MLflow",
        "comet": "archive of Comet",
        "config.yaml": "the full config",
        "checkpoints/last.ckpt": "go on with --ckpt_path",
    }
    lines = [f"  {Path(folder, place)}: {what}" for place, what in places.items() if Path(folder, place).exists()]
    # A tag is one folder deep, or two.
    animations = sorted([*Path(folder).glob("*/history.*"), *Path(folder).glob("*/*/history.*")])
    lines += [f"  {path}: the pictures there as an animation" for path in animations]
    if any(Path(folder).rglob("events.out.tfevents*")):
        lines.append(f"  tensorboard --logdir {folder}: all of it")
    return "\n".join([f"\nThe run is in {folder}", *lines])

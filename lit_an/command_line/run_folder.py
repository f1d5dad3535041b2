"""Chooses the run folder: one for each run, never that of another run."""

import itertools
import os
import shlex
from pathlib import Path

from lit_an.checkpoints.places import checkpoints_in, is_run_folder
from lit_an.command_line.overview import program
from lit_an.errors import InputError

_OPENED_EARLY = ("events.out.tfevents", "hparams.yaml", "mlflow.db")  # files of loggers
# Environment variable with the folder that the first process of a run chose.
VARIABLE = "LIT_AN_RUN_FOLDER"

# Per run folder: the folders that this process created, outermost first, and the files that were there before.
_CLAIMED: dict[str, tuple[list[Path], set[Path]]] = {}


def choose(chosen: str | None, checkpoint: str | None, name: str, is_new: bool, rank: int = 0) -> str:
    """Chooses the folder of a run, without conflicts between runs that start at the same time.

    Args:
        chosen: ``--run_folder``, or None.
        checkpoint: the file to resume from, or None; a resumed run stays in its folder.
        name: of the config.
        is_new: whether this run trains, and may not do so in a folder of another run.
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
        # The others may look when the first has begun to write.
        if is_new and rank == 0 and (origin is None or folder.resolve() != origin.resolve()):
            _refuse_used(folder)
        return _made(folder, rank)
    if origin is not None:
        return _made(origin, rank)
    return _claim(Path("runs", name), rank)


def _made(folder: Path, rank: int) -> str:
    """Makes a folder and checks that it is writable."""
    if rank == 0:
        try:
            _make(folder, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"--run_folder {folder} cannot be made ({error.strerror}); choose a folder that you may write to"
            ) from error
        if not os.access(folder, os.W_OK | os.X_OK):
            raise InputError(f"{folder} is not writable; choose another folder with --run_folder")
    return str(folder)


def _make(folder: Path, exist_ok: bool) -> None:
    missing = [place for place in (folder, *folder.parents) if not place.exists()][::-1]
    folder.mkdir(parents=True, exist_ok=exist_ok)
    _CLAIMED[str(folder)] = missing, set(folder.iterdir())


def _refuse_used(folder: Path) -> None:
    if folder.is_dir() and is_run_folder(folder):
        raise InputError(
            f"--run_folder {folder} holds a run already; choose another folder, or go on with that run: "
            f"--ckpt_path {folder}"
        )
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError(f"--run_folder {folder} holds other files; choose a new or an empty folder")


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
    """Removes the folder and the early files of loggers of a run that did not start."""
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
    """Says where a finished run is, what to look at, and what one does with it next."""
    root, command = Path(folder), "inpaint" if Path(folder, "inpainting").is_dir() else "sample"
    explained = "; README.md there says what is what" if (root / "README.md").is_file() else ""
    lines = [f"\nThe run is in {folder}{explained}"]
    # The pictures of the task first, then its regions; the newest of each, and all of them as an animation.
    for tag in ("inpainting", "samples", "layouts/*"):
        for newest in [max(each.glob("iteration_*"), default=None) for each in sorted(root.glob(tag))]:
            lines += [f"  look   {newest}"] if newest is not None else []
        lines += [f"         {each}" for each in sorted(root.glob(f"{tag}/history.*"))]
    if checkpoints_in(root) is not None:
        lines.append(f"  next   {program()} {command} --ckpt_path {shlex.quote(folder)}")
    if any(root.rglob("events.out.tfevents*")):
        lines.append(f"         tensorboard --logdir {shlex.quote(folder)}")
    return "\n".join(lines)

"""Chooses the run folder: one for each run, never that of another run."""

import errno
import itertools
import os
import shlex
from pathlib import Path

from lit_an.checkpoints.places import LOCK, checkpoints_in, is_empty, is_run_folder
from lit_an.command_line.overview import program
from lit_an.errors import InputError
from lit_an.files.locks import hold

_OPENED_EARLY = (LOCK, "events.out.tfevents", "hparams.yaml", "mlflow.db")  # the lock and files of loggers
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
    origin = None if checkpoint is None else folder_of(checkpoint)
    if chosen is not None:
        folder = Path(chosen)
        # The others may look when the first has begun to write.
        if is_new and rank == 0 and (origin is None or not is_same(folder, origin)):
            _refuse_used(folder)
        return _made(folder, rank)
    if origin is not None:
        return _made(origin, rank)
    return _claim(Path("runs", name), rank)


def folder_of(checkpoint: str) -> Path:
    """The run folder that a checkpoint file lies in."""
    path = Path(checkpoint)
    return path.parent.parent if path.parent.name == "checkpoints" else path.parent


def is_same(folder: str | Path, other: str | Path) -> bool:
    """Whether two paths, which need not exist, lead to the same folder."""
    return Path(folder).resolve() == Path(other).resolve()


def take(folder: str) -> None:
    """Takes a run folder for the training of this process, until that ends.

    Raises:
        InputError: another process trains there.
    """
    holder = hold(Path(folder, LOCK))
    if holder is not None:
        _CLAIMED.pop(folder, None)  # what is new there is not of this process
        raise InputError(
            f"{folder}: another fit trains in this run folder ({holder}); wait for its end, or choose another folder "
            "with --run_folder"
        )


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
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:  # a link to nothing: no other name of the folder would help
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder.parent)) from error
    folder.mkdir(exist_ok=exist_ok)
    _CLAIMED[str(folder)] = missing, set(folder.iterdir())


def _refuse_used(folder: Path) -> None:
    if folder.is_dir() and is_run_folder(folder):
        raise InputError(
            f"--run_folder {folder} holds a run already; choose another folder, or go on with that run: "
            f"--ckpt_path {folder}"
        )
    if folder.is_dir() and not is_empty(folder):
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

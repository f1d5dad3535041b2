"""``--ckpt_path``: a file, a run folder or ``auto``; checked before anything is built."""

import os
from pathlib import Path
from typing import NamedTuple

from pytorch_lightning.utilities.rank_zero import rank_zero_info, rank_zero_warn

from lit_an.checkpoints.files import load_checkpoint
from lit_an.checkpoints.folder import newest_whole
from lit_an.checkpoints.format import read_entries
from lit_an.checkpoints.places import checkpoints_in, is_empty, is_run_folder
from lit_an.errors import InputError
from lit_an.files import user_path

AUTO = "auto"
# Environment variable with the checkpoint that the first process of a run chose; empty for none.
VARIABLE = "LIT_AN_CHECKPOINT"
_PARTS = ("optimizer_states", "lr_schedulers", "loops", "callbacks", "pytorch-lightning_version")


class Start(NamedTuple):
    """Where a run starts.

    Attributes:
        checkpoint: the file to resume from; None for a new run.
        folder: the run folder that was given in its place, in which a new run begins too; None if a file was given.
    """

    checkpoint: str | None
    folder: str | None


def choose_start(given: str | None, run_folder: str, trains: bool) -> Start:
    """The checkpoint that ``--ckpt_path`` means, the same in every process that this one starts.

    Args:
        given: a file, a run folder, ``auto``, or None.
        run_folder: the folder that ``auto`` means.
        trains: whether a training starts there, or something that only looks at the checkpoint.

    Raises:
        InputError: a run folder that does not exist, or whose checkpoints are all damaged.
    """
    if given is None:
        return Start(None, None)
    folder = Path(run_folder) if given == AUTO else user_path(given)
    if given != AUTO and not folder.is_dir():
        return Start(str(folder), None)
    if not ("LOCAL_RANK" in os.environ and VARIABLE in os.environ):  # else the first process has chosen
        os.environ[VARIABLE] = _newest_in(folder, given, trains)
    return Start(os.environ[VARIABLE] or None, str(folder.parent if folder.name == "checkpoints" else folder))


def _newest_in(folder: Path, given: str, trains: bool) -> str:
    place = checkpoints_in(folder) if folder.is_dir() else None
    if place is None:
        if folder.is_dir() and not is_empty(folder) and not is_run_folder(folder):
            raise InputError(
                f"--ckpt_path {given}: the folder {folder} holds no run; give a run folder or a .ckpt file of one"
            )
        if trains:
            rank_zero_info(f"--ckpt_path {given}: {folder} has no checkpoint yet, so a new run begins there")
        return ""
    newest = newest_whole(place)
    for sentence in newest.damaged:
        rank_zero_warn(f"passed over: {sentence}", category=UserWarning)
    if newest.path is None:
        raise InputError(
            f"--ckpt_path {given}: none of the checkpoints in {place} can be used (the newest: {newest.damaged[0]}); "
            "move them away to begin anew"
        )
    rank_zero_info(f"--ckpt_path {given}: {'resuming from' if trains else 'taking'} {newest.path}")
    return str(newest.path)


def iteration_of(path: str) -> int:
    """The iteration of a run's checkpoint.

    Args:
        path: the file; its content is checked, and nothing in it is executed.

    Raises:
        InputError: the file is missing, damaged, of a newer format, or not a complete checkpoint of a run.
    """
    origin = f"--ckpt_path {path}"
    stored = load_checkpoint(path, origin)
    iteration = read_entries(stored, origin).iteration
    lacking = [part for part in _PARTS if part not in stored]
    if lacking or iteration is None:
        raise InputError(
            f"{origin}: it is not a checkpoint of a run (it lacks {', '.join(lacking) or 'the iteration'}); give one "
            "that `fit` wrote"
        )
    return iteration

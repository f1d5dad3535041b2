"""The option ``--ckpt_path`` of commands that train nothing: a checkpoint, a run folder or an export."""

import sys
from pathlib import Path

from lit_an.checkpoints.folder import newest_whole
from lit_an.checkpoints.places import checkpoints_in, is_run_folder
from lit_an.errors import InputError
from lit_an.files import printable, user_path
from lit_an.trained.exported import DESCRIPTION


def checkpoint_at(given: str) -> Path:
    """The file that ``--ckpt_path`` means: the newest whole checkpoint of a run folder, or what is given.

    Each newer checkpoint that is not whole is named on stderr.

    Args:
        given: a ``.ckpt`` file, a run folder, or the folder or JSON file of an export.

    Raises:
        InputError: a folder that holds no run, no checkpoint, or damaged ones only.
    """
    path = user_path(given)
    if not path.is_dir() or (path / DESCRIPTION).is_file():
        return path
    place = checkpoints_in(path)
    if place is None:
        what = "holds no checkpoint yet" if is_run_folder(path) else "is a folder that holds no run"
        raise InputError(f"--ckpt_path {printable(path)} {what}; give a run folder or a .ckpt file of one")
    newest = newest_whole(place)
    for sentence in newest.damaged:
        print(f"warning: passed over: {printable(sentence)}", file=sys.stderr)
    if newest.path is None:
        raise InputError(f"--ckpt_path {printable(path)}: none of its checkpoints can be used; give another run")
    return newest.path

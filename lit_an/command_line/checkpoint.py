"""A checkpoint that a command is given: looked at before anything is built."""

import zipfile
from pathlib import Path
from typing import Any

import torch

from lit_an.errors import InputError

_PARTS = ("state_dict", "optimizer_states", "lr_schedulers", "loops", "callbacks", "pytorch-lightning_version")


def iteration_of(path: str) -> int:
    """The iteration of a run's checkpoint.

    Args:
        path: the file; its tensors are mapped, not read, and nothing in it is executed.

    Raises:
        InputError: no file, a damaged one, or not a whole checkpoint of a run.
    """
    if not Path(path).is_file():
        raise InputError(f"--ckpt_path {path}: there is no such file; give a .ckpt file of a run's checkpoints folder")
    if not zipfile.is_zipfile(path):
        raise InputError(f"--ckpt_path {path}: it is damaged, or no checkpoint; give another one of the run")
    try:
        stored: Any = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # torch raises of many types for what is no checkpoint
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"--ckpt_path {path}: it cannot be read as a checkpoint ({reason[:120]}); give another one of the run"
        ) from error
    lacking = [part for part in _PARTS if not isinstance(stored, dict) or part not in stored]
    counters = {} if lacking else stored["state_dict"].get("_extra_state", {})
    if "iteration" not in counters:
        lacks = ", ".join(lacking) or "the iteration"
        raise InputError(
            f"--ckpt_path {path}: it is no checkpoint of a run (it lacks {lacks}); give one that `fit` wrote"
        )
    return int(counters["iteration"])

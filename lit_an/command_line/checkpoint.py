"""Checks a checkpoint of the command line before anything is built."""

from lit_an.checkpoints.format import load_checkpoint, read_entries
from lit_an.errors import InputError

_PARTS = ("optimizer_states", "lr_schedulers", "loops", "callbacks", "pytorch-lightning_version")


def iteration_of(path: str) -> int:
    """The iteration of a run's checkpoint.

    Args:
        path: the file; its tensors are mapped, not read, and nothing in it is executed.

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

"""Callbacks of which a run has one: two would change the same weights, or write the same files."""

import pytorch_lightning as pl
from pytorch_lightning import Callback

from lit_an.errors import InputError


def refuse_second(trainer: pl.Trainer, callback: Callback) -> None:
    """Checks that a callback is the only one of its kind; the command line keeps the last one by itself.

    Raises:
        InputError: the trainer has another one of its class, of one below it or of one above it.
    """
    kind = type(callback)
    kinds = [type(each) for each in trainer.callbacks if each is not callback]  # type: ignore[attr-defined]
    if any(issubclass(each, kind) or (issubclass(kind, each) and hasattr(each, "one_per_run")) for each in kinds):
        raise InputError(f"trainer.callbacks has more than one {kind.__name__}, and a run takes one; leave one out")

"""What the first process does alone, and what all processes learn of it."""

from collections.abc import Callable
from typing import Any, TypeVar

import pytorch_lightning as pl

from lit_an.errors import InputError

T = TypeVar("T")


def in_first_process(trainer: pl.Trainer, call: Callable[..., T], *arguments: Any) -> T | InputError | None:
    """Calls a function in the first process alone; returns an ``InputError``, for ``share_outcome`` to raise."""
    if not trainer.is_global_zero:
        return None
    try:
        return call(*arguments)
    except InputError as error:
        return error


def share_outcome(trainer: pl.Trainer, outcome: Any) -> Any:
    """Broadcasts the first process's outcome and returns it; raises it in all processes if it is an error."""
    outcome = trainer.strategy.broadcast(outcome)
    if isinstance(outcome, InputError):
        raise outcome
    return outcome

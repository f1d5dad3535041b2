"""Where a callback may stand: behind a task of lit_an, and once where two would change or write the same."""

import pytorch_lightning as pl
from pytorch_lightning import Callback

from lit_an.errors import InputError
from lit_an.tasks.adversarial import AdversarialTask


def check_place(callback: Callback, trainer: pl.Trainer, task: pl.LightningModule) -> None:
    """Checks that a callback follows a task, and is alone of its kind; the command line keeps the last one by itself.

    Raises:
        InputError: the trainer trains another kind of module, or has another callback of its class, of one below it or
            of one above it.
    """
    kind = type(callback)
    if not isinstance(task, AdversarialTask):
        raise InputError(
            f"{kind.__name__} follows the iterations of a task of lit_an (lit_an.tasks.AdversarialTask), and "
            f"{type(task).__name__} is none; docs/own_network.md says what a module of your own can use"
        )
    kinds = [type(each) for each in trainer.callbacks if each is not callback]  # type: ignore[attr-defined]
    if any(issubclass(each, kind) or (issubclass(kind, each) and hasattr(each, "one_per_run")) for each in kinds):
        raise InputError(f"trainer.callbacks has more than one {kind.__name__}, and a run takes one; leave one out")

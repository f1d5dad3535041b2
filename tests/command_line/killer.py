"""A callback that sends its own process a signal at a named place of a run."""

import os
from typing import Any

from pytorch_lightning.callbacks import Callback


class Kill(Callback):
    """Sends one signal, once.

    Args:
        hook: a hook of Lightning's, ``on_before_save`` or ``on_after_save`` of a checkpoint.
        iteration: the iteration that is done then, or, at the start of a batch, that begins.
        number: of the signal.
    """

    def __init__(self, hook: str, iteration: int, number: int) -> None:
        self.hook, self.iteration, self.number = hook, iteration, number
        if not hook.endswith("_save"):
            setattr(self, hook, self._at_hook)

    def setup(self, trainer: Any, task: Any, stage: str) -> None:
        if not self.hook.endswith("_save"):
            return
        save = trainer.save_checkpoint

        def saving(*args: Any, **kwargs: Any) -> None:
            if self.hook == "on_before_save":
                self._send(task.iteration)
            save(*args, **kwargs)

        trainer.save_checkpoint = saving

    def on_validation_start(self, trainer: Any, task: Any) -> None:
        if self.hook == "on_after_save":
            self._send(task.iteration)

    def _at_hook(self, trainer: Any, task: Any, *args: Any) -> None:
        self._send(task.iteration + (self.hook == "on_train_batch_start"))

    def _send(self, iteration: int) -> None:
        if iteration == self.iteration:
            self.iteration = -1
            os.kill(os.getpid(), self.number)

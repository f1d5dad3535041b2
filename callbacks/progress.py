"""A progress bar over the iterations of the whole run."""

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import TQDMProgressBar
from pytorch_lightning.callbacks.progress.tqdm_progress import Tqdm

from lit_an.tasks.adversarial import AdversarialTask


class IterationProgressBar(TQDMProgressBar):
    """One bar for the run: generator iterations done, time left, newest losses.

    Args:
        refresh_rate: iterations between refreshes.
    """

    def __init__(self, refresh_rate: int = 10) -> None:
        super().__init__(refresh_rate=refresh_rate)
        self._newest: dict[str, Any] = {}

    def on_train_start(self, trainer: pl.Trainer, task: AdversarialTask) -> None:  # type: ignore[override]
        super().on_train_start(trainer, task)
        steps = trainer.max_steps if trainer.max_steps >= 0 else 0
        total = steps // task.optimizer_steps(1)
        # ``initial`` keeps the time left right in a resumed run.
        bar: Tqdm = self.train_progress_bar
        bar.reset(total or None)
        bar.initial = bar.n = bar.last_print_n = task.iteration
        bar.set_description("iterations")

    def on_train_epoch_start(self, trainer: pl.Trainer, *args: Any) -> None:
        """Does nothing: a run is one stream of iterations."""

    def on_train_batch_end(  # type: ignore[override]
        self, trainer: pl.Trainer, task: AdversarialTask, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        bar: Tqdm = self.train_progress_bar
        if self._should_update(task.iteration, bar.total or 0):
            bar.set_postfix(self.get_metrics(trainer, task), refresh=False)
            bar.update(task.iteration - bar.n)

    def get_metrics(self, trainer: pl.Trainer, task: AdversarialTask) -> dict[str, Any]:  # type: ignore[override]
        """The newest value of each metric in the bar, since they are logged at intervals only."""
        self._newest |= {key: value for key, value in trainer.progress_bar_metrics.items() if key != "v_num"}
        return self._newest

"""Progress over the iterations of the whole run: a bar in a terminal, lines in a log."""

import sys
import time
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import TQDMProgressBar
from pytorch_lightning.callbacks.progress.tqdm_progress import Tqdm
from pytorch_lightning.utilities.rank_zero import rank_zero_info

from lit_an.durations import in_words
from lit_an.tasks.adversarial import AdversarialTask

_FIRST, _LONGEST = 10.0, 60.0  # seconds to the first line, and between lines later


class IterationProgressBar(TQDMProgressBar):
    """One bar for the run: generator iterations done, time left, newest losses.

    Without a terminal there is no bar but a line from time to time, after 10 seconds, 30 seconds, 70 seconds and then
    every minute: ``iteration 400 of 1700, 2.1 it/s, 10 min 19 s left``. The rate is that of this process so far,
    validations included.

    Args:
        refresh_rate: iterations between refreshes of the bar.
    """

    def __init__(self, refresh_rate: int = 10) -> None:
        super().__init__(refresh_rate=refresh_rate)
        self._newest: dict[str, Any] = {}
        self._total = self._first = 0
        self._started = self._said = 0.0
        self._pause = _FIRST

    def setup(self, trainer: pl.Trainer, *args: Any, **kwargs: Any) -> None:
        super().setup(trainer, *args, **kwargs)
        if not sys.stdout.isatty():
            self.disable()

    def on_train_start(self, trainer: pl.Trainer, task: AdversarialTask) -> None:  # type: ignore[override]
        super().on_train_start(trainer, task)
        steps = trainer.max_steps if trainer.max_steps >= 0 else 0
        self._total, self._first = steps // task.optimizer_steps(1), task.iteration
        self._started = self._said = time.monotonic()
        self._pause = _FIRST
        # ``initial`` keeps the time left right in a resumed run.
        bar: Tqdm = self.train_progress_bar
        bar.reset(self._total or None)
        bar.initial = bar.n = bar.last_print_n = task.iteration
        bar.set_description("iterations")

    def on_train_epoch_start(self, trainer: pl.Trainer, *args: Any) -> None:
        """Does nothing: a run is one stream of iterations."""

    def on_train_batch_end(  # type: ignore[override]
        self, trainer: pl.Trainer, task: AdversarialTask, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        bar: Tqdm = self.train_progress_bar
        if task.logs_now and self.is_enabled:
            self.get_metrics(trainer, task)
        if self._should_update(task.iteration, bar.total or 0):
            bar.set_postfix(self._newest, refresh=False)
            bar.update(task.iteration - bar.n)
        elif self.is_disabled and time.monotonic() - self._said >= self._pause:
            self._said, self._pause = time.monotonic(), min(2 * self._pause, _LONGEST)
            # In the first process alone.
            rank_zero_info(
                progress_line(task.iteration, self._total, task.iteration - self._first, self._said - self._started)
            )

    def get_metrics(self, trainer: pl.Trainer, task: AdversarialTask) -> dict[str, Any]:  # type: ignore[override]
        """The newest value of each metric in the bar; reading new ones waits for the device."""
        self._newest |= {key: value for key, value in trainer.progress_bar_metrics.items() if key != "v_num"}
        return self._newest


def progress_line(iteration: int, total: int, done: int, seconds: float) -> str:
    """One line about a run.

    Args:
        iteration: of the run.
        total: iterations of the run in all; 0 if it has no length.
        done: iterations of this process, ≥ 1.
        seconds: that they took, > 0.

    Example:
        >>> progress_line(400, 1700, done=400, seconds=190.5)
        'iteration 400 of 1700, 2.1 it/s, 10 min 19 s left'
        >>> progress_line(30, 0, done=10, seconds=200.0)
        'iteration 30, 20.0 s/it'
    """
    rate = f"{done / seconds:.1f} it/s" if done >= seconds else f"{seconds / done:.1f} s/it"
    if not total:
        return f"iteration {iteration}, {rate}"
    return f"iteration {iteration} of {total}, {rate}, {in_words((total - iteration) * seconds / done)} left"

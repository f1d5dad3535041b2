"""Progress over the iterations of the whole run: one line in a terminal, lines from time to time in a log."""

import logging
import os
import shutil
import sys
import time
import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ProgressBar
from pytorch_lightning.utilities.rank_zero import rank_zero_info

from callbacks.one_per_run import check_place
from lit_an.durations import in_words
from lit_an.machine.memory import peak_memory
from lit_an.tasks.adversarial import AdversarialTask

_FIRST, _LONGEST = 10.0, 60.0  # seconds to the first line, and between lines later
_AGAIN = 1.0  # seconds between two states of the line in a terminal
_CLEAR = "\r\x1b[K"
# How the line calls the newest losses, by the ends of their names; in this order.
_SHORT = {"discriminator/adversarial": "D", "generator/adversarial": "G", "generator/hole": "hole"}


class Progress(NamedTuple):
    """What a line says.

    Attributes:
        iteration: of the run.
        total: iterations of the run in all; 0 if it has no length.
        done: iterations of this process.
        seconds: that they took, with validations and pictures.
        images: of an iteration, in all processes.
        memory: bytes in use at most; 0 leaves it out.
        terms: newest losses by short name.
    """

    iteration: int
    total: int
    done: int
    seconds: float
    images: int = 0
    memory: int = 0
    terms: Mapping[str, float] = {}


class IterationProgressBar(ProgressBar):
    """Shows how far a run is, how long it still takes, its speed, its memory and its newest losses.

    In a terminal that is one line, written anew each second:
    ``400/1000 (40 %)  3 min 12 s left  52 img/s  1.3 GB  D 1.62 G 0.51``. Elsewhere it is a line after 10 seconds, 30
    seconds, 70 seconds and then every minute. Rates are those of this process so far, validations included.

    Attributes:
        one_per_run: Lightning refuses a second one.

    Args:
        refresh_rate: nothing; configs of earlier runs have it.
    """

    one_per_run = True

    def __init__(self, refresh_rate: int | None = None) -> None:
        super().__init__()
        self._is_enabled = True
        self._terminal = False
        self._shown = False  # whether the line stands in the terminal
        self._terms: dict[str, float] = {}
        self._total = self._first = 0
        self._started, self._said = 0.0, time.monotonic()
        self._pause = _FIRST
        self._undo: list[Any] = []

    # Lightning's switches: the first process alone shows anything

    def disable(self) -> None:
        """Shows nothing from now on."""
        self._is_enabled = False

    def enable(self) -> None:
        """Shows progress again."""
        self._is_enabled = True

    def print(self, *args: Any, **kwargs: Any) -> None:
        """Prints above the line."""
        self.clear()
        print(*args, **kwargs)

    # Training

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        check_place(self, trainer, pl_module)
        super().setup(trainer, pl_module, stage)
        self._terminal = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
        if not trainer.is_global_zero:
            self.disable()
        elif self._terminal:
            self._make_way_for_others()

    def on_train_start(self, trainer: pl.Trainer, task: AdversarialTask) -> None:  # type: ignore[override]
        steps = trainer.max_steps if trainer.max_steps >= 0 else 0
        self._total, self._first = steps // task.optimizer_steps(1), task.iteration
        self._started = self._said = time.monotonic()
        self._pause = _FIRST
        if self._first < self._total or not self._total:
            self._write(f"{progress_line(self._state(task))}  the first iteration …")

    def on_train_batch_end(  # type: ignore[override]
        self, trainer: pl.Trainer, task: AdversarialTask, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if not self._is_enabled:
            return
        if task.logs_now:  # reading new ones waits for the device
            self._terms |= _short_terms(trainer.progress_bar_metrics)
        now = time.monotonic()
        is_first, is_last = task.iteration == self._first + 1, task.iteration == self._total
        if self._terminal:
            if is_first or is_last or now - self._said >= _AGAIN:
                self._said = now
                self._write(progress_line(self._state(task)))
        elif now - self._said >= self._pause:
            self._said, self._pause = now, min(2 * self._pause, _LONGEST)
            rank_zero_info(log_line(self._state(task)))

    def on_validation_batch_end(self, trainer: pl.Trainer, *args: Any) -> None:
        total = sum(count for count in trainer.num_val_batches if isinstance(count, int))
        self.show_part("validation", args[3] + 1, total)

    def on_test_batch_end(self, trainer: pl.Trainer, *args: Any) -> None:
        total = sum(count for count in trainer.num_test_batches if isinstance(count, int))
        self.show_part("test", args[3] + 1, total)

    def on_train_end(self, trainer: pl.Trainer, task: AdversarialTask) -> None:  # type: ignore[override]
        self._write(progress_line(self._state(task)))
        self._end_line()

    def on_exception(self, *args: Any) -> None:
        self._end_line()

    def teardown(self, *args: Any, **kwargs: Any) -> None:
        self.clear()
        while self._undo:
            self._undo.pop()()

    # Work between iterations

    def show_part(self, what: str, done: int, total: int | None) -> None:
        """Shows how far something other than the training is.

        Args:
            what: a word or a few.
            done: parts of it.
            total: all of them; None if that is not known.
        """
        now = time.monotonic()
        if not self._is_enabled:
            return
        if self._terminal:
            if now - self._said >= _AGAIN or done in (1, total):
                self._said = now
                self._write(f"{what} {done}/{total}" if total else f"{what} {done}")
        elif now - self._said >= _LONGEST:
            self._said = now
            rank_zero_info(f"{what} {done} of {total}" if total else f"{what} {done}")

    def clear(self) -> None:
        """Takes the line away, so that something else can be printed; it comes back by itself."""
        if self._shown:
            self._shown = False
            sys.stdout.write(_CLEAR)
            sys.stdout.flush()

    def _end_line(self) -> None:
        """Leaves the last state where it is."""
        if self._shown:
            print(flush=True)
            self._shown = False

    def _write(self, line: str) -> None:
        if not (self._is_enabled and self._terminal):
            return
        columns = shutil.get_terminal_size().columns
        sys.stdout.write(f"{_CLEAR}{fitted(line, columns - 1)}")
        sys.stdout.flush()
        self._shown = True

    def _state(self, task: AdversarialTask) -> Progress:
        done = task.iteration - self._first
        seconds = time.monotonic() - self._started
        return Progress(
            task.iteration, self._total, done, seconds, task.images_now, peak_memory(task.device), self._terms
        )

    def _make_way_for_others(self) -> None:
        """Takes the line away before messages and warnings are printed."""
        logger = logging.getLogger("pytorch_lightning.utilities.rank_zero")

        def cleared(record: logging.LogRecord) -> bool:
            self.clear()
            return True

        logger.addFilter(cleared)
        self._undo.append(lambda: logger.removeFilter(cleared))
        shows = warnings.showwarning

        def show(*args: Any, **kwargs: Any) -> None:
            self.clear()
            shows(*args, **kwargs)

        warnings.showwarning = show
        self._undo.append(lambda: setattr(warnings, "showwarning", shows))


def progress_line(state: Progress) -> str:
    """The line of a terminal.

    Example:
        >>> progress_line(Progress(400, 1000, 400, 128.0, 32, 1_340_000_000, {"D": 1.62, "G": 0.514}))
        '400/1000 (40 %)  3 min 12 s left  100 img/s  1.3 GB  D 1.62 G 0.51'
        >>> progress_line(Progress(30, 0, 10, 200.0, terms={"D": 2.0, "G": -0.00137}))
        '30  20.0 s/it  D 2.00 G -0.001'
    """
    head = f"{state.iteration}/{state.total} ({_percent(state)} %)" if state.total else f"{state.iteration}"
    return "  ".join([head, *_parts(state)])


def log_line(state: Progress) -> str:
    """The line of a log.

    Example:
        >>> log_line(Progress(400, 1000, 400, 128.0, 32, 1_340_000_000, {"D": 1.62, "G": 0.514}))
        'iteration 400 of 1000 (40 %), 3 min 12 s left, 100 img/s, 1.3 GB, D 1.62 G 0.51'
    """
    of = f" of {state.total} ({_percent(state)} %)" if state.total else ""
    return ", ".join([f"iteration {state.iteration}{of}", *_parts(state)])


def fitted(line: str, columns: int) -> str:
    """A line without the last of its parts that do not fit; parts are two spaces apart.

    Example:
        >>> fitted("400/1000 (40 %)  3 min left  52 img/s", 30)
        '400/1000 (40 %)  3 min left'
    """
    parts = line.split("  ")
    while len(parts) > 1 and len("  ".join(parts)) > columns:
        parts.pop()
    return "  ".join(parts)[: max(columns, 0)]


def _percent(state: Progress) -> int:
    return 100 * state.iteration // state.total


def _parts(state: Progress) -> list[str]:
    parts = []
    if state.done and state.seconds > 0:
        pace = state.seconds / state.done
        if state.total:
            parts.append(f"{in_words((state.total - state.iteration) * pace)} left")
        rate = state.images / pace
        if rate >= 1:
            parts.append(f"{rate:.0f} img/s" if rate >= 10 else f"{rate:.1f} img/s")
        else:
            parts.append(f"{pace:.1f} s/it")
    if state.memory:
        parts.append(f"{state.memory / 1e9:.1f} GB")
    terms = [f"{name} {_rounded(state.terms[name])}" for name in _SHORT.values() if name in state.terms]
    return parts + ([" ".join(terms)] if terms else [])


def _rounded(value: float) -> str:
    """Two decimals, or one digit of what they would hide: the weight of a term may be small."""
    return f"{value:.2f}" if abs(value) >= 0.05 or not value else f"{value:.1g}"


def _short_terms(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The newest losses by short name."""
    found = ((short, name) for end, short in _SHORT.items() for name in metrics if name.endswith(end))
    return {short: float(metrics[name]) for short, name in found}

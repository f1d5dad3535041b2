"""Checkpoints by iteration, by wall time and on a signal, written atomically."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.utilities.rank_zero import rank_zero_info, rank_zero_warn

from lit_an.errors import at_least
from lit_an.tasks.adversarial import AdversarialTask

_SAVE_SIGNALS = (signal.SIGUSR1,) if hasattr(signal, "SIGUSR1") else ()
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Checkpointing(Checkpoint):
    """Saves the whole state of training to ``<run folder>/checkpoints``.

    Checkpoints are numbered (``iteration_0000500.ckpt``), and the newest ``keep`` are kept; ``last.ckpt`` is always the
    newest. Lightning's ``ModelCheckpoint`` counts optimizer steps and never saves by time in manual optimization.

    SIGUSR1 saves and continues. SIGTERM and SIGINT (Ctrl-C) save at the end of the iteration or of the validation
    batch, and stop; a second signal stops immediately. A run that ends with an error saves if possible.

    Args:
        every_iterations: iterations from one checkpoint to the next; 0 for none by iteration.
        every_minutes: minutes of wall time since the last checkpoint; 0 for none by time.
        keep: numbered checkpoints to keep, ≥ 1.

    Attributes:
        stopped_by: the signal that ended the run, or None.

    Raises:
        InputError: a negative interval, or ``keep`` below 1.
    """

    def __init__(self, every_iterations: int = 1000, every_minutes: float = 15.0, keep: int = 2) -> None:
        at_least("Checkpointing", 0, every_iterations=every_iterations, every_minutes=every_minutes)
        at_least("Checkpointing", 1, keep=keep)
        self.every_iterations, self.every_minutes, self.keep = every_iterations, every_minutes, keep
        self.stopped_by: int | None = None
        self._saved_at, self._saved_time = -1, 0.0
        self._received: int | None = None
        self._inside = False  # an iteration
        self._optimizer_steps = 0  # before it
        self._former_handlers: dict[int, Any] = {}

    # When

    def on_train_start(self, trainer: pl.Trainer, task: AdversarialTask) -> None:
        self._saved_at, self._saved_time = task.iteration, time.monotonic()
        self.stopped_by = self._received = None
        self._listen()

    def on_train_batch_start(self, trainer: pl.Trainer, *args: Any) -> None:
        self._inside, self._optimizer_steps = True, trainer.global_step

    def on_train_batch_end(
        self, trainer: pl.Trainer, task: AdversarialTask, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._inside = False
        by_iteration = self.every_iterations > 0 and task.iteration % self.every_iterations == 0
        if self._any_process(trainer, self._is_due() or by_iteration):
            self._save(trainer, task)
        self._stop_if_asked(trainer)

    def on_validation_batch_end(self, trainer: pl.Trainer, task: AdversarialTask, *args: Any) -> None:
        # A validation may take longer than a scheduler's grace period.
        if not self._former_handlers or trainer.sanity_checking:
            return
        if self._any_process(trainer, self._received is not None):
            if self._saved_at != task.iteration:
                self._save(trainer, task)
            self._stop_if_asked(trainer)
            if trainer.should_stop:
                # Means over a part of the images must not be reported as those of the whole validation.
                results = trainer._results
                assert results is not None
                results.clear()
                raise StopIteration  # ends Lightning's validation loop

    def on_train_end(self, trainer: pl.Trainer, task: AdversarialTask) -> None:
        if self._saved_at != task.iteration:
            self._save(trainer, task)
        self._stop_listening()

    def on_exception(self, trainer: pl.Trainer, task: AdversarialTask, exception: BaseException) -> None:
        listened = bool(self._former_handlers)
        self._stop_listening()
        # A KeyboardInterrupt is a second Ctrl-C.
        if not listened or isinstance(exception, KeyboardInterrupt) or self._saved_at == task.iteration:
            return
        try:
            self._save_alone(trainer, task)
        except Exception as error:
            rank_zero_warn(f"no checkpoint of iteration {task.iteration} could be written ({error})")
        else:
            rank_zero_info(f"Ended by an error; the checkpoint of iteration {task.iteration} is written")

    def _is_due(self) -> bool:
        by_time = 0 < self.every_minutes <= (time.monotonic() - self._saved_time) / 60
        return by_time or self._received is not None

    def _any_process(self, trainer: pl.Trainer, due: bool) -> bool:
        """Whether any rank is due: clocks differ, and a signal may reach only one process."""
        if trainer.world_size == 1:
            return due
        return trainer.strategy.reduce_boolean_decision(due, all=False)

    # What a signal does

    def _listen(self) -> None:
        # Lightning's own handler broadcasts from inside the signal, which can hang; this one only records the signal.
        for number in (*_SAVE_SIGNALS, *_STOP_SIGNALS):
            self._former_handlers[number] = signal.signal(number, self._note)

    def _stop_listening(self) -> None:
        for number, handler in self._former_handlers.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        self._former_handlers = {}

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number in _STOP_SIGNALS:
            # A second signal ends the process immediately, as by default.
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        self._received = number

    def _stop_if_asked(self, trainer: pl.Trainer) -> None:
        received, self._received = self._received, None
        if self._any_process(trainer, received in _STOP_SIGNALS):
            self.stopped_by = received if received in _STOP_SIGNALS else signal.SIGTERM  # another process has it
            rank_zero_info(f"Stopping on {signal.Signals(self.stopped_by).name}; the checkpoint is written")
            trainer.should_stop = True
            trainer.limit_val_batches = 0  # else Lightning validates once more before it stops

    # What is written

    def _save(self, trainer: pl.Trainer, task: AdversarialTask) -> None:
        self._keep(trainer, task, lambda path: trainer.save_checkpoint(path, weights_only=False))

    def _save_alone(self, trainer: pl.Trainer, task: AdversarialTask) -> None:
        """As ``_save``, from any point of an iteration, even if other processes have ended."""
        if not self._inside and trainer.world_size == 1:
            self._save(trainer, task)
        elif trainer.is_global_zero:
            checkpoint = trainer._checkpoint_connector.dump_checkpoint(weights_only=False)
            if self._inside:  # one of its optimizers may have made its step
                loops = checkpoint["loops"]["fit_loop"]
                loops["epoch_loop.manual_optimization.optim_step_progress"]["total"]["completed"] = (
                    self._optimizer_steps
                )
                checkpoint["global_step"] = self._optimizer_steps
            self._keep(trainer, task, lambda path: trainer.strategy.save_checkpoint(checkpoint, path))

    def _keep(self, trainer: pl.Trainer, task: AdversarialTask, write: Callable[[Path], None]) -> None:
        """Writes a checkpoint atomically, and removes the oldest."""
        folder = Path(trainer.default_root_dir, "checkpoints")
        numbered = folder / f"iteration_{task.iteration:07d}.ckpt"
        temporary = folder / f".{numbered.name}.part"
        try:
            write(temporary)
            if trainer.is_global_zero:
                os.replace(temporary, numbered)
                _replace_by_link(folder / "last.ckpt", numbered)
                # By the time of writing: after going back to an earlier one, the highest number is not the newest.
                age = {path: (path == numbered, path.stat().st_mtime_ns) for path in folder.glob("iteration_*.ckpt")}
                for old in sorted(age, key=age.__getitem__)[: -self.keep]:
                    old.unlink()
        finally:
            if trainer.is_global_zero:
                temporary.unlink(missing_ok=True)
        self._saved_at, self._saved_time = task.iteration, time.monotonic()


def was_stopped(trainer: pl.Trainer) -> bool:
    """Whether a signal has stopped the run."""
    return any(getattr(callback, "stopped_by", None) is not None for callback in trainer.checkpoint_callbacks)


def _replace_by_link(path: Path, target: Path) -> None:
    """Makes ``path`` the same file as ``target``, atomically, without writing its content twice where links work."""
    temporary = path.with_name(f".{path.name}.part")
    temporary.unlink(missing_ok=True)
    try:
        os.link(target, temporary)
    except OSError:
        temporary.write_bytes(target.read_bytes())
    os.replace(temporary, path)

"""Checkpoints by iteration, by wall time and on a signal; nothing is ever half-written."""

import os
import signal
import time
from pathlib import Path
from types import FrameType
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.utilities.rank_zero import rank_zero_info

from lit_an.errors import InputError
from lit_an.tasks.adversarial import AdversarialTask

_SAVE_SIGNALS = (signal.SIGUSR1,) if hasattr(signal, "SIGUSR1") else ()
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Checkpointing(Checkpoint):
    """Saves the whole state of training to ``<run folder>/checkpoints``.

    ``iteration_0000500.ckpt`` are numbered and pruned to the newest few; ``last.ckpt`` is always the newest.
    Lightning's ``ModelCheckpoint`` counts optimizer steps, and by time it never saves in manual optimization.

    SIGUSR1 saves and goes on. SIGTERM and SIGINT (Ctrl-C) save at the end of the iteration, or of the validation
    batch, and stop; a second one stops at once.

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
        if every_iterations < 0 or every_minutes < 0 or keep < 1:
            raise InputError("Checkpointing: every_iterations and every_minutes must be 0 or more, keep at least 1")
        self.every_iterations, self.every_minutes, self.keep = every_iterations, every_minutes, keep
        self.stopped_by: int | None = None
        self._saved_at, self._saved_time = -1, 0.0
        self._received: int | None = None
        self._former_handlers: dict[int, Any] = {}

    # When

    def on_train_start(self, trainer: pl.Trainer, task: AdversarialTask) -> None:
        self._saved_at, self._saved_time = task.iteration, time.monotonic()
        self.stopped_by = self._received = None
        self._listen()

    def on_train_batch_end(
        self, trainer: pl.Trainer, task: AdversarialTask, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        by_iteration = self.every_iterations > 0 and task.iteration % self.every_iterations == 0
        if self._agreed(trainer, self._is_due() or by_iteration):
            self._save(trainer, task)
        self._stop_if_asked(trainer)

    def on_validation_batch_end(self, trainer: pl.Trainer, task: AdversarialTask, *args: Any) -> None:
        # A validation may take longer than the grace that a scheduler gives. Ranks agree on it in training only,
        # since their numbers of validation batches may differ.
        if trainer.world_size == 1 and self._received is not None and not trainer.sanity_checking:
            self._save(trainer, task)
            self._stop_if_asked(trainer)

    def on_train_end(self, trainer: pl.Trainer, task: AdversarialTask) -> None:
        if self._saved_at != task.iteration:
            self._save(trainer, task)
        self._stop_listening()

    def on_exception(self, trainer: pl.Trainer, task: AdversarialTask, exception: BaseException) -> None:
        self._stop_listening()

    def _is_due(self) -> bool:
        by_time = 0 < self.every_minutes <= (time.monotonic() - self._saved_time) / 60
        return by_time or self._received is not None

    def _agreed(self, trainer: pl.Trainer, due: bool) -> bool:
        """Whether any rank wants to save: clocks differ, and a signal may reach one process only."""
        if trainer.world_size == 1:
            return due
        return trainer.strategy.reduce_boolean_decision(due, all=False)

    # What a signal does

    def _listen(self) -> None:
        # Lightning's own handler broadcasts from inside the signal, which can hang; ours only takes a note.
        for number in (*_SAVE_SIGNALS, *_STOP_SIGNALS):
            self._former_handlers[number] = signal.signal(number, self._note)

    def _stop_listening(self) -> None:
        for number, handler in self._former_handlers.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        self._former_handlers = {}

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number in _STOP_SIGNALS:
            # Asked again, the process ends at once, as without us.
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        self._received = number

    def _stop_if_asked(self, trainer: pl.Trainer) -> None:
        received, self._received = self._received, None
        if received in _STOP_SIGNALS:
            self.stopped_by = received
            rank_zero_info(f"Stopping on {signal.Signals(received).name}; the checkpoint is written")
        if self._agreed(trainer, received in _STOP_SIGNALS):
            trainer.should_stop = True
            trainer.limit_val_batches = 0  # else Lightning validates once more before it stops

    # What is written

    def _save(self, trainer: pl.Trainer, task: AdversarialTask) -> None:
        folder = Path(trainer.default_root_dir, "checkpoints")
        numbered = folder / f"iteration_{task.iteration:07d}.ckpt"
        temporary = folder / f".{numbered.name}.part"
        trainer.save_checkpoint(temporary, weights_only=False)
        if trainer.is_global_zero:
            os.replace(temporary, numbered)
            _replace_by_link(folder / "last.ckpt", numbered)
            for old in sorted(folder.glob("iteration_*.ckpt"))[: -self.keep]:
                old.unlink()
        self._saved_at, self._saved_time = task.iteration, time.monotonic()


def _replace_by_link(path: Path, target: Path) -> None:
    """Makes ``path`` the same file as ``target``, atomically, without writing its content twice where links work."""
    temporary = path.with_name(f".{path.name}.part")
    temporary.unlink(missing_ok=True)
    try:
        os.link(target, temporary)
    except OSError:
        temporary.write_bytes(target.read_bytes())
    os.replace(temporary, path)

"""Checkpoints by iteration, by wall time and on a signal, written atomically."""

import signal
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.utilities.rank_zero import rank_zero_info, rank_zero_warn

from callbacks.one_per_run import check_place
from callbacks.saving.changed_processes import check_common_start, hosts_of, line_of_change
from callbacks.saving.checkpoint_files import CheckpointFiles
from callbacks.saving.signal_inbox import STOP_SIGNALS, SignalInbox, rank_of_signal, signal_of_rank
from lit_an.checkpoints.folder import CheckpointFolder
from lit_an.checkpoints.format import read_entries, write_entries
from lit_an.checkpoints.places import LAST
from lit_an.errors import NonFiniteError, OutputError, at_least
from lit_an.tasks.adversarial import AdversarialTask


class Checkpointing(Checkpoint):
    """Saves the whole state of training to ``<run folder>/checkpoints``.

    Checkpoints are numbered (``iteration_0000500.ckpt``), and the newest ``keep`` are kept; ``last.ckpt`` is always the
    newest. Lightning's ``ModelCheckpoint`` counts optimizer steps and never saves by time in manual optimization.

    SIGUSR1 saves and continues. SIGTERM and SIGINT (Ctrl-C) save at the end of the iteration, of the validation batch
    or of a batch of a measurement, and stop; a second signal stops immediately. A run that ends with an error saves if
    possible, and one whose disk is full goes on and tries again.

    Args:
        every_iterations: iterations from one checkpoint to the next; 0 for none by iteration.
        every_minutes: minutes of wall time since the last checkpoint; 0 for none by time.
        keep: numbered checkpoints to keep, ≥ 1.

    Attributes:
        stopped_by: the signal that ended the run, or None.
        unsaved: whether the newest checkpoint could not be written.
        one_per_run: a second one would remove checkpoints of the first, and take its signals.

    Raises:
        InputError: a negative interval, or ``keep`` below 1; when a run starts, a second one of the class.
    """

    one_per_run = True

    def __init__(self, every_iterations: int = 1000, every_minutes: float = 15.0, keep: int = 2) -> None:
        at_least("Checkpointing", 0, every_iterations=every_iterations, every_minutes=every_minutes)
        at_least("Checkpointing", 1, keep=keep)
        self.every_iterations, self.every_minutes, self.keep = every_iterations, every_minutes, keep
        self.stopped_by: int | None = None
        self.unsaved = False
        self._saved_at, self._saved_time = -1, 0.0
        self._signals = SignalInbox()
        self._inside = False  # an iteration
        self._optimizer_steps = 0  # before it
        self._hosts: Any = None  # a process group

    # When

    def on_train_start(self, trainer: pl.Trainer, task: AdversarialTask) -> None:
        check_common_start(trainer, task.iteration)
        self._saved_at, self._saved_time = task.iteration, time.monotonic()
        self.stopped_by = None
        self._hosts = hosts_of(trainer)
        self._signals.open()

    def on_train_batch_start(self, trainer: pl.Trainer, *args: Any) -> None:
        self._inside, self._optimizer_steps = True, trainer.global_step

    def on_train_batch_end(
        self, trainer: pl.Trainer, task: AdversarialTask, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._inside = False
        is_due, received = self._agree(trainer, self._is_due(task), self._signals.take())
        trainer.should_stop |= received in STOP_SIGNALS
        if is_due or received:
            self._save(trainer, task)
        self._stop_on(received, trainer, task)

    def on_validation_batch_end(self, trainer: pl.Trainer, task: AdversarialTask, *args: Any) -> None:
        # A validation may take longer than a scheduler's grace period.
        if not self._signals.is_open or trainer.sanity_checking:
            return
        _, received = self._agree(trainer, False, self._signals.take())
        if received:
            self._answer(received, trainer, task)
            if trainer.should_stop:
                raise StopIteration  # ends Lightning's validation loop

    def is_asked_to_stop(self, trainer: pl.Trainer) -> bool:
        """Whether a signal stops this run and has not been answered; several processes must stay in step instead."""
        return self._signals.is_open and self._signals.newest in STOP_SIGNALS and trainer.world_size == 1

    def stop(self, trainer: pl.Trainer, task: AdversarialTask) -> None:
        """Saves and stops, in the middle of a validation, of which no figure is logged."""
        self._answer(self._signals.take(), trainer, task)

    def on_train_end(self, trainer: pl.Trainer, task: AdversarialTask) -> None:
        trainer.should_stop = True
        # What a signal could not save has been said.
        if self._saved_at != task.iteration and self.stopped_by is None:
            self._save(trainer, task)
        self._signals.close()

    def on_exception(self, trainer: pl.Trainer, task: AdversarialTask, exception: BaseException) -> None:
        was_training = self._signals.is_open
        self._signals.close()
        # A KeyboardInterrupt is a second Ctrl-C.
        if not was_training or isinstance(exception, KeyboardInterrupt) or self._saved_at == task.iteration:
            return
        if isinstance(exception, NonFiniteError):  # its sentence names the checkpoint to go on from
            return
        try:
            problem = self._save_alone(trainer, task)
        except Exception as error:  # whatever ended the run may be the reason
            problem = str(error)
        if problem is not None:
            rank_zero_warn(self._said(problem, task.iteration, trainer), category=UserWarning)
        else:
            rank_zero_info(f"Ended by an error; the checkpoint of iteration {task.iteration} is written")

    def _is_due(self, task: AdversarialTask) -> bool:
        by_iteration = self.every_iterations > 0 and task.iteration % self.every_iterations == 0
        return by_iteration or 0 < self.every_minutes <= (time.monotonic() - self._saved_time) / 60

    def _agree(self, trainer: pl.Trainer, is_due: bool, received: int) -> tuple[bool, int]:
        """Whether any process is due, and the signal that any has received: clocks differ, and so do signals."""
        if trainer.world_size == 1:
            return is_due, received
        mine = torch.tensor([int(is_due), rank_of_signal(received)])
        # Lightning's ``reduce`` would add a barrier to it.
        torch.distributed.all_reduce(mine, torch.distributed.ReduceOp.MAX, self._hosts)
        due, newest = mine.tolist()
        return bool(due), signal_of_rank(int(newest))

    def _stop_on(self, received: int, trainer: pl.Trainer, task: AdversarialTask) -> None:
        """Stops the run if a signal says so, with the same exit code in all processes."""
        if received in STOP_SIGNALS:
            self.stopped_by = received
            saved = f"the checkpoint {'is' if self._saved_at == task.iteration else 'could not be'} written"
            rank_zero_info(f"Stopping on {signal.Signals(received).name}; {saved}")
            trainer.should_stop = True
            trainer.limit_val_batches = 0  # else Lightning validates once more before it stops

    def _answer(self, received: int, trainer: pl.Trainer, task: AdversarialTask) -> None:
        """Saves, and stops if the signal says so, in the middle of a validation."""
        trainer.should_stop |= received in STOP_SIGNALS
        if self._saved_at != task.iteration:
            self._save(trainer, task)
        self._stop_on(received, trainer, task)
        if trainer.should_stop:
            # Means over a part of the images must not be reported as those of the whole validation.
            results = trainer._results
            assert results is not None
            results.clear()
            trainer.fit_loop.epoch_loop.val_loop._logged_outputs.clear()

    # Number of processes

    def on_save_checkpoint(self, trainer: pl.Trainer, task: pl.LightningModule, checkpoint: dict[str, Any]) -> None:
        write_entries(checkpoint, processes=trainer.world_size)

    def on_load_checkpoint(self, trainer: pl.Trainer, task: pl.LightningModule, checkpoint: dict[str, Any]) -> None:
        data: Any = getattr(trainer, "datamodule", None)
        if trainer.state.fn != "fit" or not hasattr(data, "batch_size"):
            return
        before = read_entries(checkpoint, "the checkpoint").processes
        batches = getattr(data, "batches_per_iteration", 1)
        # Lightning restores the callbacks before the task.
        counted = checkpoint["state_dict"].get("_extra_state", {})
        done, seen = counted.get("iteration", 0), counted.get("images_seen", 0)
        line = line_of_change(before, trainer.world_size, data.batch_size, batches, done, seen)
        if line is not None:
            rank_zero_info(line)

    # What is written

    def setup(self, trainer: pl.Trainer, task: AdversarialTask, stage: str) -> None:
        """Makes Lightning read and write checkpoint files as this library does."""
        check_place(self, trainer, task)
        if type(trainer.strategy.checkpoint_io) is TorchCheckpointIO:  # Lightning's default
            trainer.strategy.checkpoint_io = CheckpointFiles()
        self._folder = CheckpointFolder(Path(trainer.default_root_dir, "checkpoints"), self.keep)
        if stage == "fit" and trainer.is_global_zero:
            self._folder.remove_leftovers()

    def _save(self, trainer: pl.Trainer, task: AdversarialTask) -> None:
        """Saves in all processes; says if the checkpoint could not be written.

        Raises:
            NonFiniteError: the policy of the task does not allow the numbers that it has.
        """
        task.check_finite()
        checkpoint = trainer._checkpoint_connector.dump_checkpoint(weights_only=False)
        problem, bug = None, None
        if trainer.is_global_zero:
            try:
                problem = self._write(checkpoint, task.iteration)
            except Exception as error:  # raised when the other processes, which wait for the outcome, know
                bug = error
        if trainer.world_size > 1:
            problem, failed = trainer.strategy.broadcast((problem, bug is not None))
            if failed and bug is None:
                raise RuntimeError("the first process could not write a checkpoint")
        if bug is not None:
            raise bug
        if problem is not None:
            rank_zero_warn(self._said(problem, task.iteration, trainer), category=UserWarning)
        else:
            self._saved_at = task.iteration
        self.unsaved, self._saved_time = problem is not None, time.monotonic()

    def _save_alone(self, trainer: pl.Trainer, task: AdversarialTask) -> str | None:
        """As ``_save``, from any point of an iteration, even if other processes have ended; returns what went wrong."""
        if not trainer.is_global_zero:
            return None
        checkpoint = trainer._checkpoint_connector.dump_checkpoint(weights_only=False)
        if self._inside:  # one of its optimizers may have made its step
            loops = checkpoint["loops"]["fit_loop"]
            loops["epoch_loop.manual_optimization.optim_step_progress"]["total"]["completed"] = self._optimizer_steps
            checkpoint["global_step"] = self._optimizer_steps
        return self._write(checkpoint, task.iteration)

    def _write(self, checkpoint: dict[str, Any], iteration: int) -> str | None:
        """Writes a checkpoint; returns what went wrong."""
        try:
            self._folder.write(checkpoint, iteration)
        except OutputError as error:
            return str(error)
        return None

    def _said(self, problem: str, iteration: int, trainer: pl.Trainer) -> str:
        last = self._folder.path / LAST
        newest = f"the newest checkpoint is still {last}" if last.is_file() else "there is no checkpoint yet"
        goes_on = self._signals.is_open and not trainer.should_stop
        then = "training goes on and tries again at the next interval" if goes_on else "the run ends"
        return f"iteration {iteration} is not saved: {problem.partition('; ')[0]}; {newest}, and {then}"


def was_stopped(trainer: pl.Trainer) -> bool:
    """Whether a signal has stopped the run."""
    return any(getattr(callback, "stopped_by", None) is not None for callback in trainer.checkpoint_callbacks)

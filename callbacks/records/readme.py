"""The README of a run folder, kept up to date while the run goes on."""

import sys
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning import Callback
from pytorch_lightning.utilities.rank_zero import rank_zero_warn

from callbacks.checkpointing import was_stopped
from lit_an.code_version import git_state, library_versions
from lit_an.errors import InputError, OutputError
from lit_an.files import replacing
from lit_an.run_report.readme import FILE, Progress, program_of, readme_of
from lit_an.tasks.adversarial import AdversarialTask
from lit_an.tasks.inpainting import InpaintingGAN


class RunReadme(Callback):
    """Writes ``<run folder>/README.md``: what is there, figures and pictures so far, how it was made, how to go on.

    After the first iteration, after each checkpoint and at the end. Every run of the command line has it.
    """

    def __init__(self) -> None:
        self._has_begun = self._is_due = self._has_failed = False
        self._facts: dict[str, Any] = {}

    def on_train_start(self, trainer: pl.Trainer, task: AdversarialTask) -> None:
        self._has_begun = self._is_due = False

    def on_train_batch_end(
        self, trainer: pl.Trainer, task: AdversarialTask, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Not before the first iteration: a run that cannot make one leaves no files."""
        if not self._has_begun and trainer.is_global_zero:
            self._facts = {"command": sys.argv, "versions": library_versions(), "git": git_state()}
        if self._is_due or not self._has_begun:
            self._has_begun, self._is_due = True, False
            self._write(trainer, task, "training")

    def on_save_checkpoint(self, trainer: pl.Trainer, task: AdversarialTask, checkpoint: dict[str, Any]) -> None:
        """The file is not written yet: the README follows after the next iteration, or at the end."""
        self._is_due = True

    def on_fit_end(self, trainer: pl.Trainer, task: AdversarialTask) -> None:
        length = _length(trainer, task)
        is_whole = length is None or task.iteration >= length
        state = "stopped by a signal" if was_stopped(trainer) else "finished" if is_whole else "ended before its length"
        self._write(trainer, task, state)

    def on_exception(self, trainer: pl.Trainer, task: AdversarialTask, exception: BaseException) -> None:
        if self._has_begun:
            self._write(trainer, task, f"ended by an error ({type(exception).__name__})")

    def _write(self, trainer: pl.Trainer, task: AdversarialTask, state: str) -> None:
        """Writes the file, in the first process; a training goes on without it."""
        if not trainer.is_global_zero:
            return
        folder = Path(trainer.default_root_dir)
        now, inpaints = time.strftime("%Y-%m-%d %H:%M %z"), isinstance(task, InpaintingGAN)
        length, program = _length(trainer, task), program_of(sys.argv)
        progress = Progress(state, task.iteration, length, now, inpaints, program, self._facts)
        try:
            with replacing(folder / FILE) as temporary:
                temporary.write_text(readme_of(folder, progress), encoding="utf-8")
        except (InputError, OutputError) as error:
            if not self._has_failed:
                rank_zero_warn(f"{error}; the training goes on without {FILE}", category=UserWarning)
            self._has_failed = True


def _length(trainer: pl.Trainer, task: AdversarialTask) -> int | None:
    """Iterations of the run in all; None without an end."""
    return trainer.max_steps // task.optimizer_steps(1) if trainer.max_steps >= 0 else None

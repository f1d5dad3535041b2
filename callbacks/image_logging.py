"""Base of the picture loggers: PNG files in the run folder, the run's loggers, and an animation."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.utilities.rank_zero import rank_zero_warn
from torch import Tensor

from callbacks.checkpointing import was_stopped
from callbacks.loggers import Picture, show_picture
from callbacks.one_per_run import check_place
from lit_an.errors import InputError, OutputError
from lit_an.files import remove_leftovers
from lit_an.pictures.animation import animation_suffix, choose_frames, write_animation
from lit_an.pictures.panels import write_png
from lit_an.tasks.adversarial import AdversarialTask


class PictureLogger(Callback):
    """Base of callbacks that log pictures at an interval and at the end of training, in the first process.

    Before the interval is reached, pictures come before the first iteration and after 1, 2, 5, 10, 20, 50, … of them.

    A subclass implements ``log_pictures`` and passes each picture to ``log_image``. At the end of a run, all pictures
    of a tag, including those before a resume, become one animation. A run that a signal stops is not at its end. A run
    that was killed between its last checkpoint and its end gets both when it is started again.

    Args:
        every_iterations: iterations between pictures, ≥ 1.
        early: also after 0, 1, 2, 5, 10, 20, 50, 100, … iterations, up to ``every_iterations``.

    Attributes:
        folder: first part of all tags of the class.
        one_per_run: a second one of the class would write the same files.

    Raises:
        InputError: a number below 1; when a run starts, a second one of the class.
    """

    folder: str
    one_per_run = True

    def __init__(self, every_iterations: int, early: bool = True) -> None:
        if every_iterations < 1:
            raise InputError(f"{type(self).__name__}: every_iterations must be at least 1, got {every_iterations}")
        self.every_iterations, self.early = every_iterations, early
        self._logged_at = -1
        self._tags: set[str] = set()
        self._waiting: list[Callable[[], None]] | None = None  # what is written after the first iteration
        self._has_failed = self._has_trained = self._has_begun = False

    def setup(self, trainer: pl.Trainer, task: AdversarialTask, stage: str) -> None:
        """Removes what a killed run was writing in the folder."""
        check_place(self, trainer, task)
        folder = Path(trainer.default_root_dir, self.folder)
        if stage == "fit" and trainer.is_global_zero and folder.is_dir():
            remove_leftovers(folder)

    def log_pictures(self, trainer: pl.Trainer, task: AdversarialTask) -> None:
        """Makes and logs the pictures of the current iteration."""
        raise NotImplementedError

    def log_image(self, trainer: pl.Trainer, tag: str, image: Tensor, iteration: int) -> None:
        """Writes ``<run folder>/<tag>/iteration_0000500.png``, and sends the picture to the run's loggers.

        Args:
            trainer: its ``default_root_dir`` is the run folder.
            tag: folder of the picture below the run folder, such as ``samples``; its name in the loggers.
            image: (3, H, W), uint8.
            iteration: generator iterations done.
        """
        path = Path(trainer.default_root_dir, tag, f"iteration_{iteration:07d}.png")

        def write() -> None:
            write_png(path, image)
            show_picture(trainer, Picture(tag, iteration, image, path))
            self._tags.add(tag)

        self.write_later(write)

    def write_later(self, write: Callable[[], None]) -> None:
        """Calls ``write`` now, or after the first iteration: a run that cannot make one leaves no files."""
        if self._waiting is None:
            write()
        else:
            self._waiting.append(write)

    def footer(self, trainer: pl.Trainer, task: AdversarialTask) -> str:
        """What stands below each picture: iteration and name of the run folder."""
        return f"iteration {task.iteration:,}   {Path(trainer.default_root_dir).resolve().name}"

    def begin(self, trainer: pl.Trainer, task: AdversarialTask) -> None:
        """Called once before the first iteration of this process, in the first process; writes by ``write_later``."""

    def is_due(self, iteration: int) -> bool:
        """Whether an iteration has pictures; a function of its number, so that a resumed run has the same."""
        return iteration % self.every_iterations == 0 or (
            self.early and iteration < self.every_iterations and _is_round(iteration)
        )

    def on_train_start(self, trainer: pl.Trainer, task: AdversarialTask) -> None:
        self._has_begun, self._waiting = False, None

    def on_train_batch_start(self, trainer: pl.Trainer, task: AdversarialTask, batch: Any, batch_idx: int) -> None:
        """Makes the pictures of the untrained network, once the data can be read."""
        if self._has_begun or not trainer.is_global_zero:
            return
        self._has_begun, self._waiting = True, []
        task.clock.stop()
        self.begin(trainer, task)
        if self.early and task.iteration == 0:
            self._log_once(trainer, task)
        task.clock.start()

    def on_train_batch_end(
        self, trainer: pl.Trainer, task: AdversarialTask, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._has_trained = True
        waiting, self._waiting = self._waiting or [], None
        for write in waiting:
            self._try(write)
        if self.is_due(task.iteration):
            self._log_once(trainer, task)

    def on_train_end(self, trainer: pl.Trainer, task: AdversarialTask) -> None:
        if not was_stopped(trainer):  # the run is not at its end
            self._log_once(trainer, task)

    def on_fit_end(self, trainer: pl.Trainer, task: AdversarialTask) -> None:
        """After the last checkpoint is written."""
        if was_stopped(trainer):
            return
        if not self._has_trained and not _is_finished(Path(trainer.default_root_dir, self.folder), task.iteration):
            self._log_once(trainer, task)
        for tag in sorted(self._tags):
            folder = Path(trainer.default_root_dir, tag)
            try:
                animate(folder, task.iteration)
            except OSError as error:
                rank_zero_warn(f"no animation of {folder} could be written ({error})", category=UserWarning)

    def _log_once(self, trainer: pl.Trainer, task: AdversarialTask) -> None:
        if not trainer.is_global_zero or self._logged_at == task.iteration:
            return
        self._logged_at = task.iteration
        self._try(lambda: self.log_pictures(trainer, task))

    def _try(self, write: Callable[[], None]) -> None:
        try:
            write()
        except OutputError as error:  # a full disk, for example
            if not self._has_failed:
                rank_zero_warn(f"{error}; the run goes on, and tries again with each picture", category=UserWarning)
            self._has_failed = True


def _is_round(iteration: int) -> bool:
    """Whether an iteration is 1, 2 or 5 times a power of ten."""
    while iteration >= 10 and iteration % 10 == 0:
        iteration //= 10
    return iteration in (1, 2, 5)


def _is_finished(folder: Path, iteration: int) -> bool:
    """Whether all pictures of an iteration and the animations after them are there."""
    newest: dict[Path, Path] = {}
    for path in sorted(folder.rglob("iteration_*.png")):
        newest[path.parent] = path
    return bool(newest) and all(
        path.stem == f"iteration_{iteration:07d}"
        and any(history.stat().st_mtime_ns >= path.stat().st_mtime_ns for history in place.glob("history.*"))
        for place, path in newest.items()
    )


def animate(folder: Path, iteration: int) -> None:
    """Writes ``history.webp``, an animation of a folder's pictures up to an iteration, if there are several.

    Of more than a hundred pictures, a hundred are used, evenly spread.

    Args:
        folder: with pictures called ``iteration_0000500.png``.
        iteration: the last to show; a run resumed from an earlier checkpoint may have left later pictures.

    Raises:
        OSError: a picture cannot be read, or the animation cannot be written.
    """
    found = {}
    for path in folder.glob("iteration_*.png"):
        number = re.fullmatch(r"iteration_(\d+)", path.stem)
        if number and int(number[1]) <= iteration:
            found[int(number[1])] = path
    if len(found) < 2:
        return
    shown = [sorted(found)[place] for place in choose_frames(len(found))]
    captions = [f"iteration {number:,}" for number in shown]
    write_animation(folder / f"history{animation_suffix()}", [found[number] for number in shown], captions)

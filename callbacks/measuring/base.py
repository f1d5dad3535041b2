"""Base of the metric callbacks: intervals, extractor, real images and communication between processes."""

import math
import sys
from collections.abc import Callable, Iterator, Sized
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.utilities.rank_zero import rank_zero_warn
from torch import Tensor

from callbacks.checkpointing import Checkpointing, was_stopped
from callbacks.measuring.outcomes import in_first_process, share_outcome
from callbacks.measuring.result_files import file_beside_others
from callbacks.one_per_run import check_place
from callbacks.progress import IterationProgressBar
from lit_an.batch import collate
from lit_an.errors import InputError, OutputError, at_least
from lit_an.machine.loader import Loader
from lit_an.machine.workers import leave_signals_to_parent
from lit_an.metrics.feature_networks.extractors import FeatureExtractor, Features, create_extractor
from lit_an.metrics.feature_set import FeatureCollector
from lit_an.metrics.reference_statistics import ReferenceStatistics, default_folder, find, store
from lit_an.metrics.results import Result
from lit_an.tasks.adversarial import AdversarialTask

Stage = Literal["val", "test"]


class NotMeasurableError(InputError):
    """Images that cannot be measured; raised in all processes at once."""


Numbered = tuple[Any, Tensor]


class MeasurementStopped(Exception):  # noqa: N818
    """A signal stops the run in the middle of a measurement; a resumed run makes it up.

    Args:
        by: the callback that has the signal.
    """

    def __init__(self, by: Checkpointing) -> None:
        super().__init__()
        self.by = by


class Measuring(Callback):
    """Base of callbacks that measure at an interval of validations, and at every ``validate`` and ``test``.

    A subclass measures in ``_measure``, in all processes at once.

    Attributes:
        prefix: first part of the names of its files.
        one_per_run: a second one of the class would write the same files, so that of a later config takes its place.

    Args:
        every_validations: validations between measurements, ≥ 1.
        extractor: name of the feature extractor; None for none.
        extractor_kwargs: its arguments.
        batch_size: images at a time on one device, ≥ 1.
        keep: features of at most so many images are kept one by one, ≥ 1.
        cache_dir: folder of the reference statistics; None takes the default one.

    Raises:
        InputError: a number out of range.
    """

    prefix = "metrics"
    one_per_run = True

    def __init__(
        self,
        every_validations: int,
        extractor: str | None,
        extractor_kwargs: dict[str, bool | int | float | str] | None,
        batch_size: int,
        keep: int,
        cache_dir: str | None,
    ) -> None:
        self._at_least(1, every_validations=every_validations, batch_size=batch_size, keep=keep)
        self.every_validations, self.batch_size, self.keep = every_validations, batch_size, keep
        self.extractor, self.extractor_kwargs = extractor, extractor_kwargs or {}
        self.folder = default_folder() if cache_dir is None else Path(cache_dir).expanduser()
        self._network: FeatureExtractor | None = None

    def _at_least(self, least: int, **values: int | None) -> None:
        at_least(type(self).__name__, least, **values)

    # When

    def setup(self, trainer: pl.Trainer, task: AdversarialTask, stage: str) -> None:
        """Creates the extractor, so that errors appear before training."""
        check_place(self, trainer, task)
        if not hasattr(getattr(trainer, "datamodule", None), "dataset"):
            raise InputError(
                f"{type(self).__name__} needs a data module with a method dataset(split), such as lit_an.data.ClassData"
            )
        self._make_network()
        if self.extractor in task.frozen_networks():
            rank_zero_warn(
                f"{type(self).__name__}: the features of {self.extractor} are also a part of the loss, which makes "
                "these figures too good to compare with those of another loss; choose the extractor inception_v3, or "
                "torchscript with a file (docs/metrics.md)"
            )
        if stage == "test" or trainer.limit_val_batches != 0:
            data: Any = trainer.datamodule  # type: ignore[attr-defined]
            against = self.data_problems(data, trainer.world_size, "test" if stage == "test" else "val")
            if against:
                raise InputError(against[0])

    def _make_network(self) -> None:
        if self._network is None and self.extractor is not None:
            self._network = create_extractor(self.extractor, **self.extractor_kwargs)

    def data_problems(self, data: Any, processes: int = 1, stage: Stage = "val") -> list[str]:
        """Lists why these data cannot be used to measure; called by ``check`` and at the start of a run.

        Args:
            data: a data module.
            processes: number of processes that measure together.
            stage: the stage to measure at.

        Returns:
            Error sentences; empty if the data can be used.
        """
        found = []
        try:
            self._make_network()
        except InputError as error:
            found.append(str(error))
        split = self._split_of(stage)
        count = min(len(data.dataset(split)), self._most_images() or sys.maxsize)
        return [*found, self._too_few(split, count)] if count < max(2, processes) else found

    def _split_of(self, stage: Stage) -> str:
        """The split whose images are used."""
        return stage

    def _most_images(self) -> int | None:
        """The largest number of images to use; None for all."""
        raise NotImplementedError

    def _too_few(self, split: str, count: int) -> str:
        return f"{type(self).__name__}: the split {split!r} has {count} images, too few to measure with; add images"

    def on_validation_epoch_end(self, trainer: pl.Trainer, task: AdversarialTask) -> None:
        if trainer.sanity_checking or was_stopped(trainer):
            return
        if trainer.state.fn != "fit":
            self._measure(trainer, task, "val")
        elif _number_of_validation(trainer, task) % self.every_validations == 0:
            try:
                self._measure(trainer, task, "val")
            except NotMeasurableError as error:
                rank_zero_warn(f"no figures at iteration {task.iteration}: {error}", category=UserWarning)
            except MeasurementStopped as stopped:
                # Here, where the generator has its own statistics again.
                stopped.by.stop(trainer, task)

    def on_test_epoch_end(self, trainer: pl.Trainer, task: AdversarialTask) -> None:
        self._measure(trainer, task, "test")

    # What

    def _measure(self, trainer: pl.Trainer, task: AdversarialTask, stage: Stage) -> None:
        raise NotImplementedError

    def _report(
        self,
        trainer: pl.Trainer,
        task: AdversarialTask,
        stage: Stage,
        split: str,
        result: Result,
        logged: dict[str, float],
    ) -> None:
        """Logs figures in all processes; the first writes ``<prefix>_<stage>_<iteration>.json`` and the table.

        Where ``validate`` or ``test`` finds figures of other settings in that file, they stay, also in the logs.
        """
        path = self._file(trainer, task, stage, result) if trainer.is_global_zero else None
        usual = self._path(trainer, task, stage)
        if share_outcome(trainer, path is None or path == usual):
            for name, value in logged.items():
                task.log(f"{stage}/{name}", value, sync_dist=trainer.world_size > 1)
        else:
            rank_zero_warn(
                f"{usual} has figures of other settings, which stay; the new ones are in {path and path.name}, and "
                "not in metrics.csv",
                category=UserWarning,
            )
        if path is not None:
            self._write(trainer, lambda: result.write(path, stage=stage, split=split, iteration=task.iteration))
            said = f"\niteration {task.iteration}, {path.name}: {result.table()}"
            bar = trainer.progress_bar_callback
            (print if bar is None else bar.print)(said)

    def _write(self, trainer: pl.Trainer, write: Callable[[], None]) -> None:
        """Writes a file; a training goes on without it, since its figures are in the log and printed."""
        try:
            write()
        except OutputError as error:
            if trainer.state.fn != "fit":
                raise
            rank_zero_warn(f"{error}; the training goes on without this file", category=UserWarning)

    def _path(self, trainer: pl.Trainer, task: AdversarialTask, stage: Stage) -> Path:
        return Path(trainer.default_root_dir, f"{self.prefix}_{stage}_{task.iteration:07d}.json")

    def _file(self, trainer: pl.Trainer, task: AdversarialTask, stage: Stage, result: Result) -> Path:
        """The JSON file of a result; a run that went back writes its own again."""
        usual = self._path(trainer, task, stage)
        return usual if trainer.state.fn == "fit" else file_beside_others(usual, result)

    def _see(self, images: Tensor) -> Features:
        assert self._network is not None
        found = self._network(images)
        # MPS devices do not support float64.
        return Features(*(x.cpu() if x is not None and x.device.type == "mps" else x for x in found))

    # Real images

    def _chosen(self, trainer: pl.Trainer, dataset: Any, split: str, limit: int | None) -> Tensor:
        """Positions of the images to measure with, at most ``limit`` of them, evenly spread over a data set."""
        count = min(len(dataset), limit or len(dataset))
        if count < max(2, trainer.world_size):
            raise InputError(self._too_few(split, count))
        return torch.arange(count) * len(dataset) // count

    def _shared_out(self, trainer: pl.Trainer, dataset: Any, positions: Tensor, what: str) -> Iterator[Numbered]:
        """This process's share of the images at ``positions``, in batches with their numbers, from 0."""
        numbers = torch.arange(trainer.global_rank, len(positions), trainer.world_size)
        loader: Loader[Any] = Loader(
            dataset,
            batch_size=self.batch_size,
            sampler=positions[numbers].tolist(),
            num_workers=getattr(trainer.datamodule, "num_workers", 0),  # type: ignore[attr-defined]
            collate_fn=collate,
            worker_init_fn=leave_signals_to_parent,
        )
        pairs = zip(loader, numbers.split(self.batch_size), strict=True)
        yield from with_progress(trainer, what, pairs, len(loader))

    def _reference(
        self, trainer: pl.Trainer, task: AdversarialTask, described: dict[str, Any], batches: Iterator[Numbered]
    ) -> ReferenceStatistics | None:
        """The reference statistics of a description, in the first process: cached, or computed by all processes."""
        found = in_first_process(trainer, find, self.folder, described)
        # Only whether they were found is broadcast, not the statistics.
        if share_outcome(trainer, found if isinstance(found, InputError) else found is not None):
            assert not isinstance(found, InputError)
            return found
        return self._computed(trainer, task, batches, described)

    def _computed(
        self, trainer: pl.Trainer, task: AdversarialTask, batches: Iterator[Numbered], described: dict[str, Any]
    ) -> ReferenceStatistics | None:
        collector = FeatureCollector(described["count"], described["kept"])
        for batch, index in batches:
            collector.add(self._see(batch.image.to(task.device)), label_of(batch), index)
        reference = ReferenceStatistics(collector.collected(), described)
        share_outcome(trainer, in_first_process(trainer, store, self.folder, reference))
        return reference if trainer.is_global_zero else None


def check_images(are_finite: Tensor | bool) -> None:
    """Rejects images of a network that are not finite.

    Args:
        are_finite: whether all of them are, over all processes.

    Raises:
        NotMeasurableError: they are not.
    """
    if not are_finite:
        raise NotMeasurableError(
            "the network makes images that are not finite numbers, so that nothing can be measured: its training "
            "diverged; take an earlier checkpoint"
        )


def _number_of_validation(trainer: pl.Trainer, task: AdversarialTask) -> int:
    """The number of a run's validation, from 1: a function of the iteration, so that a resume cannot miscount."""
    interval = trainer.val_check_batch
    return 1 if interval is None or math.isinf(interval) else -(-task.iteration // int(interval))


def label_of(batch: Any) -> Tensor:
    """(B,), int64: the labels of a batch, or zeros where it has none."""
    return batch.label if hasattr(batch, "label") else torch.zeros(len(batch.image), dtype=torch.int64)


def float64_device(task: AdversarialTask) -> torch.device:
    """The task's device if it supports float64, else the CPU (MPS devices do not)."""
    return task.device if task.device.type == "cuda" else torch.device("cpu")


def with_progress(trainer: pl.Trainer, what: str, batches: Any, total: int | None = None) -> Iterator[Any]:
    """Iterates; the first process shows how far it is, if the run shows progress.

    ``total`` is the number of batches that do not know it.

    Raises:
        MeasurementStopped: a signal stops the run.
    """
    bar = trainer.progress_bar_callback
    total = len(batches) if isinstance(batches, Sized) else total
    for done, batch in enumerate(batches, 1):
        yield batch
        if isinstance(bar, IterationProgressBar):
            bar.show_part(f"metrics: {what}", done, total)
        for callback in trainer.checkpoint_callbacks:
            if isinstance(callback, Checkpointing) and callback.is_asked_to_stop(trainer):
                raise MeasurementStopped(callback)

"""Rows of a training in its loggers: when they are written, and what a resumed run takes back."""

from collections.abc import Iterable, Mapping

import pytorch_lightning as pl
import torch.distributed as dist
from torch import Tensor
from torch.optim import Optimizer


def logs_iteration(trainer: pl.Trainer, iteration: int) -> bool:
    """Whether an iteration, from 1, is a log iteration."""
    interval: int = trainer.log_every_n_steps  # type: ignore[attr-defined]
    return interval > 0 and iteration % interval == 0


def write_row(trainer: pl.Trainer, row: Mapping[str, float], iteration: int) -> None:
    """Writes scalars at an iteration to all loggers of a run, and waits until they have passed them on."""
    trainer._logger_connector.log_metrics({**row}, step=iteration)  # type: ignore[dict-item]


def log_means(task: pl.LightningModule, terms: Mapping[str, Tensor], images: int, iteration: int) -> None:
    """Logs scalars of a batch of validation or test: means over all images, in the row of the iteration."""
    together = dist.is_available() and dist.is_initialized()
    for name, term in terms.items():
        task.log(name, term, batch_size=images, sync_dist=together)
    # Not the mean of equal numbers: in float32, over many images, it is a neighboring iteration.
    task.log("step", float(iteration), batch_size=images, sync_dist=together, reduce_fx="max")


def learning_rates(optimizers: Mapping[str, Optimizer]) -> dict[str, float]:
    """The rate of each network's first group of parameters, by the name of its figure."""
    return {f"train/{side}/learning_rate": float(each.param_groups[0]["lr"]) for side, each in optimizers.items()}


def drop_logged_after(trainer: pl.Trainer, iteration: int) -> None:
    """Removes what loggers hold after an iteration from those that can, since a resumed run writes it again."""
    for logger in trainer.loggers:
        if hasattr(logger, "drop_after"):
            logger.drop_after(iteration)


def has_validated(trainer: pl.Trainer, iteration: int) -> bool:
    """Whether a logger of the first process holds the figures of a validation; the same in all processes.

    A run without any logger keeps no figures that could be made up.
    """
    loggers = [logger for logger in trainer.loggers if hasattr(logger, "has_validated")]
    found = trainer.is_global_zero and (
        not trainer.loggers or any(logger.has_validated(iteration) for logger in loggers)
    )
    return bool(trainer.strategy.broadcast(found))


def forget_shown(trainer: pl.Trainer, names: Iterable[str]) -> None:
    """Takes values out of progress bars: Lightning shows one until the epoch ends, and a run is one epoch."""
    results = trainer._results
    assert results is not None
    for result in results.values():
        if result.meta.name in names:
            result.reset()

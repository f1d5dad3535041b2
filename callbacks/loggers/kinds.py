"""The loggers of a run: how each kind receives a picture, and what happens when one fails.

How to add a kind of logger: a function like those at the end, whose first argument is annotated with its class. From
another package: ``callbacks.loggers.show.register``.
"""

import functools
import time
import weakref
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pytorch_lightning as pl
from PIL import Image
from pytorch_lightning.loggers import CometLogger, CSVLogger, MLFlowLogger, TensorBoardLogger, WandbLogger
from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.utilities.rank_zero import rank_zero_info, rank_zero_warn
from torch import Tensor

from callbacks.loggers.cards import shown
from callbacks.loggers.metrics_csv import MetricsCSV
from callbacks.loggers.tensorboard_files import begin_after_failure, drop_after, reopen_if_removed
from lit_an.errors import InputError

# Methods that Lightning calls during a run.
_CALLED = ("log_metrics", "log_hyperparams", "save", "finalize")
_REST = 60.0  # least number of seconds before a failed logger is tried again
_REST_FOR_EACH = 9.0  # and per second that the failure took: an unreachable server may take minutes

_resting: "weakref.WeakKeyDictionary[Logger, float]" = weakref.WeakKeyDictionary()  # until when
_kinds_unknown: set[type] = set()


class Picture(NamedTuple):
    """A picture for loggers.

    Attributes:
        tag: its name, such as ``samples``; the same at each iteration.
        iteration: generator iterations done.
        image: (3, H, W), uint8.
        path: the PNG of it in the run folder.
    """

    tag: str
    iteration: int
    image: Tensor
    path: Path


def show_picture(trainer: pl.Trainer, picture: Picture) -> None:
    """Sends a picture to every logger of a run that accepts pictures; call it in the first process only.

    A failing logger causes one warning, and the run continues.
    """
    for logger in trainer.loggers:
        _try(logger, show, logger, picture)


def log_scalars(trainer: pl.Trainer, scalars: dict[str, float], iteration: int) -> None:
    """Sends scalars to every logger of a run at a generator iteration; call it in the first process only.

    A failing logger causes one warning, and the run continues.
    """
    for logger in trainer.loggers:
        _try(logger, logger.log_metrics, scalars, step=iteration)


def log_settings(trainer: pl.Trainer, settings: Mapping[str, Any]) -> None:
    """Sends the settings of a run to every logger; call it in the first process only."""
    for logger in trainer.loggers:
        _try(logger, logger.log_hyperparams, dict(settings))


def loggers_of_run(chosen: Any, folder: str, cards: Literal["few", "all"] = "few") -> list[Logger] | bool:
    """The loggers of a run, opened: those of the config, and always ``metrics.csv`` in the run folder.

    Args:
        chosen: ``trainer.logger``, built: a logger, several, None or true for TensorBoard, false for none at all.
        folder: the run folder.
        cards: whether loggers other than ``metrics.csv`` get the values of ``callbacks.loggers.cards`` or all of them.

    Raises:
        InputError: a logger that cannot start.
    """
    if chosen is False:
        return False
    if chosen is None or chosen is True:
        loggers: list[Logger] = [TensorBoardLogger(folder, name="", version="", default_hp_metric=False)]
    else:
        loggers = list(chosen) if isinstance(chosen, Iterable) else [chosen]
    for logger in loggers:
        if not isinstance(logger, MetricsCSV):
            _open(logger)
            if cards == "few":
                _show_few(logger)
            _guard(logger)
    if not any(isinstance(logger, MetricsCSV) for logger in loggers):
        loggers.append(MetricsCSV(folder))
    return loggers


def _open(logger: Logger) -> None:
    """Starts a logger before Lightning does, so that an error becomes a sentence."""
    try:
        getattr(logger, "experiment", None)
    except Exception as error:  # each package has its own
        raise InputError(
            f"trainer.logger: {type(logger).__name__} cannot start ({_first_line(error)}); correct its settings "
            "or connection, or remove it"
        ) from error


def _show_few(logger: Logger) -> None:
    """Leaves the logger those values that one reads."""
    log_metrics = logger.log_metrics

    def log_few(metrics: dict[str, float], step: int | None = None) -> None:
        # Some loggers send pictures this way.
        pictures = {name: value for name, value in metrics.items() if not isinstance(value, (int, float))}
        kept = {**shown(metrics), **pictures}
        if kept:
            log_metrics(kept, step=step)

    logger.log_metrics = log_few  # type: ignore[method-assign]


def _guard(logger: Logger) -> None:
    """Catches errors of a logger's methods when Lightning calls them."""
    for name in _CALLED:
        setattr(logger, name, functools.partial(_try, logger, getattr(logger, name)))
    if isinstance(logger, TensorBoardLogger):
        logger.drop_after = functools.partial(_try, logger, drop_after, logger)  # type: ignore[attr-defined]


def _try(logger: Logger, call: Callable[..., None], *args: Any, **kwargs: Any) -> None:
    started = time.monotonic()
    if started < _resting.get(logger, started):
        return
    try:
        if isinstance(logger, TensorBoardLogger) and logger._experiment is not None:
            reopen_if_removed(logger)
        call(*args, **kwargs)
    except Exception as error:  # each package has its own, and none should end a run
        if logger not in _resting:
            rank_zero_warn(
                f"{type(logger).__name__} failed ({_first_line(error)}): the run continues and retries it at "
                "intervals; everything it misses is in the run folder",
                category=UserWarning,
            )
        if isinstance(logger, TensorBoardLogger):
            begin_after_failure(logger)
        now = time.monotonic()
        _resting[logger] = now + max(_REST, _REST_FOR_EACH * (now - started))


def _first_line(error: BaseException) -> str:
    """What went wrong: the system's error, if there is one behind what the package says."""
    behind: BaseException | None = error
    while behind is not None and not isinstance(behind, OSError):
        behind = behind.__cause__ or behind.__context__
    said = str(error if behind is None else behind)
    return (said.strip().splitlines() or [type(error).__name__])[0][:200]


# How each kind takes a picture


@functools.singledispatch
def show(logger: Logger, picture: Picture) -> None:
    """Shows a picture under its tag and iteration; one function for each kind of logger.

    Args:
        logger: a kind without a registered function gets no pictures; a line says so once.
        picture: what to show.
    """
    if type(logger) not in _kinds_unknown:
        _kinds_unknown.add(type(logger))
        rank_zero_info(f"{type(logger).__name__} accepts no pictures; they are in the run folder")


@show.register
def _to_tensorboard(logger: TensorBoardLogger, picture: Picture) -> None:
    logger.experiment.add_image(picture.tag, picture.image, picture.iteration)


@show.register
def _to_wandb(logger: WandbLogger, picture: Picture) -> None:
    # W&B's own step counts calls and may not go back. Lightning's logger sends the iteration beside it, as the x-axis
    # of scalars and pictures alike.
    logger.log_image(picture.tag, [str(picture.path)], step=picture.iteration)


@show.register
def _to_mlflow(logger: MLFlowLogger, picture: Picture) -> None:
    with Image.open(picture.path) as image:
        logger.experiment.log_image(logger.run_id, image, key=picture.tag, step=picture.iteration, synchronous=True)


@show.register
def _to_comet(logger: CometLogger, picture: Picture) -> None:
    logger.experiment.log_image(str(picture.path), name=picture.tag, step=picture.iteration)


@show.register(CSVLogger)
@show.register(MetricsCSV)
def _to_run_folder(logger: Logger, picture: Picture) -> None:
    """Does nothing: the PNG is already in the run folder."""

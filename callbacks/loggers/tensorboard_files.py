"""TensorBoard's event files in a run that is resumed, and when they disappear or cannot be written."""

from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import TensorBoardLogger
from pytorch_lightning.utilities.rank_zero import rank_zero_only, rank_zero_warn

_FILES = "events.out.tfevents.*"


@rank_zero_only
def drop_after(logger: TensorBoardLogger, iteration: int) -> None:
    """Makes TensorBoard hide what former event files hold after an iteration, since a resumed run writes it again."""
    opened_now = 1
    if len(list(Path(logger.log_dir).glob(_FILES))) > opened_now:
        _begin_file(logger, purge_step=iteration + 1)


@rank_zero_only
def reopen_if_removed(logger: TensorBoardLogger) -> None:
    """Begins a new event file if none is left in the logger's folder: writes to a removed file would vanish."""
    if not any(Path(logger.log_dir).glob(_FILES)):
        rank_zero_warn(
            f"the event files of TensorBoard in {logger.log_dir} have disappeared; a new one is begun",
            category=UserWarning,
        )
        _begin_file(logger)


@rank_zero_only
def begin_after_failure(logger: TensorBoardLogger) -> None:
    """Lets the next row begin a new file: TensorBoard's writer never recovers from an error."""
    writer: Any = logger.experiment
    writer.file_writer = writer.all_writers = None


def _begin_file(logger: TensorBoardLogger, purge_step: int | None = None) -> None:
    writer: Any = logger.experiment  # torch's SummaryWriter, which opens a file when one is needed
    writer.close()
    writer.purge_step = purge_step
    writer._get_file_writer()

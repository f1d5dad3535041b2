"""The validation of a checkpoint's iteration, if its run ended between the two.

A checkpoint is written before the validation of its iteration, so that a kill during a validation loses no training. A
signal that stops a run skips the validation. Either way the resumed run makes it up before its next iteration, with the
same weights and at the same iteration; so its logs equal those of an uninterrupted run.
"""

import math

import pytorch_lightning as pl
from pytorch_lightning.utilities.rank_zero import rank_zero_info

from lit_an.tasks.log_rows import has_validated


def make_up_validation(trainer: pl.Trainer, iteration: int, optimizer_steps: int) -> None:
    """Validates a resumed run if a validation belongs to its checkpoint and ``metrics.csv`` does not hold it.

    Args:
        trainer: if of a resumed run, of one whose training has not begun, or that has nothing left to train.
        iteration: of the checkpoint.
        optimizer_steps: what Lightning counts up to it.
    """
    if not lacks_validation(trainer, iteration, optimizer_steps):
        return
    rank_zero_info(f"The run ended before its validation at iteration {iteration}, which is made up now")
    loop = trainer.fit_loop.epoch_loop.val_loop
    # As Lightning's own training loop calls it; the state in the checkpoint is that of an earlier validation.
    loop.restarting = False
    first_loop_iter = trainer._logger_connector._first_loop_iter
    trainer.validating = True
    loop.run()
    trainer.training = True
    trainer._logger_connector._first_loop_iter = first_loop_iter


def lacks_validation(trainer: pl.Trainer, iteration: int, optimizer_steps: int) -> bool:
    """Whether a resumed run that has made no iteration yet lacks the validation of its checkpoint.

    Args:
        trainer, iteration, optimizer_steps: see ``make_up_validation``; every process must call this.
    """
    is_resumed = trainer.fit_loop.restarting  # until the first iteration
    is_due = is_resumed and trainer.enable_validation and _validates_at(trainer, iteration, optimizer_steps)
    return is_due and not has_validated(trainer, iteration)


def _validates_at(trainer: pl.Trainer, iteration: int, optimizer_steps: int) -> bool:
    interval = trainer.val_check_batch
    is_end = 0 <= trainer.max_steps <= optimizer_steps
    return is_end or (interval is not None and not math.isinf(interval) and iteration % int(interval) == 0)

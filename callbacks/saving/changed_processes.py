"""Processes of a run: the same start for all of them, their group, and what another number of them means."""

from typing import Any

import pytorch_lightning as pl
import torch

from lit_an.errors import InputError


def check_common_start(trainer: pl.Trainer, iteration: int) -> None:
    """Checks that all processes go on from the same iteration: machines may see different files.

    Raises:
        InputError: in all processes, if they do not.
    """
    if trainer.world_size == 1:
        return
    extremes = torch.tensor([iteration, -iteration], device=trainer.strategy.root_device)
    torch.distributed.all_reduce(extremes, torch.distributed.ReduceOp.MAX)
    last, first = extremes.tolist()
    if last != -first:
        raise InputError(
            f"the processes of the run start from different checkpoints, of iterations {-first} to {last}; name one "
            "that all machines see with --ckpt_path"
        )


def hosts_of(trainer: pl.Trainer) -> Any:
    """A group of all processes that exchanges tensors in main memory: what is exchanged there at each iteration does
    not wait for the device. None for a single process.
    """
    if trainer.world_size == 1:
        return None
    return torch.distributed.new_group(backend="gloo", timeout=getattr(trainer.strategy, "_timeout", None))


def line_of_change(
    before: int | None, now: int, batch_size: int, batches_per_iteration: int, iteration: int, images_seen: int
) -> str | None:
    """One line about a run that is resumed with another number of processes; None if it is the same or unknown.

    Args:
        before, now: number of processes.
        batch_size: images of one process and batch, as configured now.
        batches_per_iteration: batches of one process and iteration, ≥ 1.
        iteration: iterations of the checkpoint.
        images_seen: images that they took, over all processes.

    Example:
        >>> line_of_change(2, 1, batch_size=4, batches_per_iteration=1, iteration=10, images_seen=80)
        'resumed with 1 process instead of 2: an iteration takes 4 images, 8 before; data.batch_size 4 and the \
learning rates stay as configured; --data.batch_size 8 keeps 8, with --model.accumulate 2 in the memory of 4'
        >>> line_of_change(2, 1, batch_size=8, batches_per_iteration=1, iteration=10, images_seen=80)
        'resumed with 1 process instead of 2: an iteration takes 8 images as before; data.batch_size 8 and the \
learning rates stay as configured'
    """
    if before is None or before == now:
        return None
    images = now * batch_size * batches_per_iteration
    former = images_seen / max(iteration, 1)  # the mean, if the number has changed before
    kept = former / (now * batches_per_iteration)
    line = (
        f"resumed with {now} process{'' if now == 1 else 'es'} instead of {before}: an iteration takes {images} images"
        f"{' as before' if images == former else f', {former:g} before'}; data.batch_size {batch_size} and the "
        "learning rates stay as configured"
    )
    if images == former or not kept.is_integer() or kept < 1:
        return line
    parts = kept / batch_size
    split = f", with --model.accumulate {parts:g} in the memory of {batch_size}" if parts.is_integer() else ""
    return f"{line}; --data.batch_size {kept:g} keeps {former:g}{split}"

"""What a training is, said once before its first iteration."""

import os
import shlex
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning import Callback

from lit_an.tasks.adversarial import AdversarialTask
from lit_an.tasks.batch_parts import batch_size

_KEY = 10  # characters of the first column


class RunHeader(Callback):
    """Prints what trains on what, how long, where everything goes, and how to stop and go on."""

    def __init__(self) -> None:
        self._said = False

    def on_train_batch_start(self, trainer: pl.Trainer, task: AdversarialTask, batch: Any, *args: Any) -> None:  # type: ignore[override]
        if self._said or not trainer.is_global_zero:
            return
        self._said = True
        bar = trainer.progress_bar_callback
        (print if bar is None else bar.print)(header(trainer, task, batch_size(batch)))


def header(trainer: pl.Trainer, task: AdversarialTask, images: int) -> str:
    """A line for each fact.

    Args:
        trainer: of the run, fitting.
        task: of the run.
        images: of a batch of one process.
    """
    lines = [
        ("trains", f"{type(task).__name__}: {_networks(task)}"),
        ("data", _data(trainer, images)),
        ("on", _machine(trainer, task)),
        ("length", _length(trainer, task)),
        ("run folder", trainer.default_root_dir),
        (
            "to stop",
            f"Ctrl-C saves; the same command with --ckpt_path {shlex.quote(str(trainer.default_root_dir))} goes on",
        ),
    ]
    return "\n".join(f"{key:{_KEY}}  {text}" for key, text in lines)


def _networks(task: AdversarialTask) -> str:
    told = []
    for network in (task.generator, task.discriminator):
        sizes = {
            trained: sum(p.numel() for p in network.parameters() if p.requires_grad == trained)
            for trained in (True, False)
        }
        frozen = f" (+ {_millions(sizes[False])} frozen)" if sizes[False] else ""
        told.append(f"{type(network).__name__} {_millions(sizes[True])}{frozen}")
    return ", ".join(told)


def _data(trainer: pl.Trainer, images: int) -> str:
    data: Any = trainer.datamodule  # type: ignore[attr-defined]
    told = [type(getattr(data, "source", data)).__name__]
    if hasattr(data, "source"):  # a data module of another package may have no training split to count
        told.append(f"{len(data.dataset('train')):,} training images")
    size, classes = getattr(data, "image_size", None), getattr(data, "class_names", None)
    told += [f"{size}×{size} px"] if isinstance(size, int) else []
    told += [f"{len(classes)} class{'es' * (len(classes) > 1)}"] if classes else []
    processes = f" in each of {trainer.world_size} processes" if trainer.world_size > 1 else ""
    return ", ".join([*told, f"batches of {images}{processes}"])


def _machine(trainer: pl.Trainer, task: AdversarialTask) -> str:
    device = task.device
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        what = f"{trainer.world_size} × {name}" if trainer.world_size > 1 else name
    else:
        threads = torch.get_num_threads()
        what = f"{device.type}, {threads} thread{'s' * (threads > 1)}"
    return f"{what}, {trainer.precision}, seed {os.environ.get('PL_GLOBAL_SEED', 'of the clock')}"


def _length(trainer: pl.Trainer, task: AdversarialTask) -> str:
    if trainer.max_steps < 0:
        return "no end: --iterations N is its length"
    total = trainer.max_steps // task.optimizer_steps(1)
    begun = f", from iteration {task.iteration:,}" if task.iteration else ""
    return f"{total:,} iterations{begun}"


def _millions(count: int) -> str:
    return f"{count / 1e6:.2f} M" if count >= 10_000 else f"{count:,}"

"""An exponential moving average of the generator's weights."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from callbacks.one_per_run import check_place
from lit_an.checkpoints.format import read_entries, write_entries
from lit_an.errors import InputError
from lit_an.norms.running_statistics import running_statistics
from lit_an.tasks.adversarial import AdversarialTask


class GeneratorEMA(Callback):
    """Averages the generator's parameters, and with them the running statistics of its norms.

    Validation, test and the picture loggers use the average instead of the weights. Checkpoints hold it for ``sample``,
    ``inpaint`` and ``export``. All other buffers are copied: the vectors of spectral norm cannot be averaged.

    Attributes:
        one_per_run: a second one would put its average in place of the weights that train.

    Args:
        decay: share of the old average kept at each iteration, 0 ≤ decay < 1. At iteration t it is
            min(decay, (1 + t) / (10 + t)), so that a short run is not dominated by its start.
        statistics: ``averaged`` or ``copied``: treatment of running means and variances (batch norm, region norm
            of the batch). Copied statistics are those of the live weights, which differ from the averaged ones'.
        start: iterations, ≥ 0, over which the average is a copy of the weights.

    Raises:
        InputError: an argument out of range; when a run starts, a second one of the class.

    Source: Yazıcı et al., "The unusual effectiveness of averaging in GAN training", ICLR 2019; averaged statistics
    and ``start``: BigGAN-PyTorch, utils.py, class ``ema``, and scripts/launch_BigGAN_bs256x8.sh (20,000).
    Differs: BigGAN-PyTorch averages every buffer and has no smaller decay at the start.
    """

    one_per_run = True

    def __init__(
        self, decay: float = 0.9999, statistics: Literal["averaged", "copied"] = "averaged", start: int = 0
    ) -> None:
        if not 0 <= decay < 1:
            raise InputError(f"GeneratorEMA: decay must be at least 0 and less than 1, got {decay}")
        if statistics not in ("averaged", "copied"):
            raise InputError(f"GeneratorEMA: statistics must be 'averaged' or 'copied', got {statistics!r}")
        if start < 0:
            raise InputError(f"GeneratorEMA: start must be at least 0, got {start}")
        self.decay, self.statistics, self.start = decay, statistics, start
        # The average; while it stands in for the live weights, the live weights.
        self._held: dict[str, Tensor] = {}
        self._task: AdversarialTask | None = None
        self._swapped = False

    def setup(self, trainer: pl.Trainer, task: AdversarialTask, stage: str) -> None:
        check_place(self, trainer, task)
        self._task = task
        task.averaged_weights = self.averaged_weights
        task.average = lambda: self._held

    def on_fit_start(self, trainer: pl.Trainer, task: AdversarialTask) -> None:
        for tensor, names in _state(task):
            # A checkpoint's average is on another device, and may have another precision.
            known = self._held.get(names[0])
            self._held |= dict.fromkeys(names, tensor.detach().clone() if known is None else known.to(tensor))

    @torch.no_grad()
    def on_train_batch_end(
        self, trainer: pl.Trainer, task: AdversarialTask, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        decay = 0.0 if task.iteration <= self.start else min(self.decay, (1 + task.iteration) / (10 + task.iteration))
        averaged = {name: parameter.detach() for name, parameter in task.generator.named_parameters()}
        if self.statistics == "averaged":
            averaged |= running_statistics(task.generator)
        average_in_place = get_ema_multi_avg_fn(decay)
        average_in_place([self._held[name] for name in averaged], list(averaged.values()), 0)
        for name, buffer in task.generator.named_buffers():
            if name in self._held and name not in averaged:
                self._held[name].copy_(buffer)

    # Standing in

    @contextmanager
    def averaged_weights(self) -> Iterator[None]:
        """Gives the generator the averaged weights inside the block, if there is an average."""
        if self._swapped or not self._held:
            yield
            return
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        assert self._task is not None
        for tensor, names in _state(self._task):
            mine, live = self._held[names[0]].to(tensor.device), tensor.data
            tensor.data = mine
            self._held |= dict.fromkeys(names, live)
        self._swapped = not self._swapped

    def _stand_in(self, *args: Any) -> None:
        if self._held and not self._swapped:
            self._swap()

    def _stand_down(self, *args: Any) -> None:
        if self._swapped:
            self._swap()

    on_validation_start = on_test_start = _stand_in
    on_validation_end = on_test_end = on_exception = _stand_down

    # Checkpoints, valid at any time, even during a validation

    @property
    def average(self) -> dict[str, Tensor]:
        """The averaged state of the generator by name, not a copy of it; empty before the training begins."""
        if not self._swapped:
            return self._held
        assert self._task is not None
        return {name: tensor.data for tensor, names in _state(self._task) for name in names}

    def on_save_checkpoint(self, trainer: pl.Trainer, task: AdversarialTask, checkpoint: dict[str, Any]) -> None:
        write_entries(checkpoint, average=self.average)
        if self._swapped:
            live = {f"generator.{name}": tensor for name, tensor in self._held.items()}
            checkpoint["state_dict"] = {**checkpoint["state_dict"], **live}

    def on_load_checkpoint(self, trainer: pl.Trainer, task: AdversarialTask, checkpoint: dict[str, Any]) -> None:
        self._held = dict(read_entries(checkpoint, "the checkpoint").average)


def _state(task: AdversarialTask) -> list[tuple[Tensor, list[str]]]:
    """The generator's own parameters and persistent buffers, not copies of them, each with all names that it has.

    A part that is used in several places has several names.
    """
    names: dict[int, list[str]] = {}
    state = task.generator.state_dict(keep_vars=True)
    for name, tensor in state.items():
        names.setdefault(id(tensor), []).append(name)
    return [(state[each[0]], each) for each in names.values()]

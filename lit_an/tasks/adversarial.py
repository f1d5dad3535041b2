"""Base of all GAN tasks: alternating updates with manual optimization.

One Lightning batch is one iteration: it holds the images of all discriminator steps. So Lightning's counters of
batches, its logging steps and ``val_check_interval`` count generator iterations.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, cast

import pytorch_lightning as pl
import torch
from pytorch_lightning.cli import LRSchedulerCallable, OptimizerCallable
from pytorch_lightning.core.optimizer import LightningOptimizer
from pytorch_lightning.strategies import DDPStrategy
from pytorch_lightning.utilities.rank_zero import rank_zero_info
from torch import Tensor, nn
from torch.optim import Optimizer

from lit_an.errors import InputError, at_least
from lit_an.norms.base import total_penalty
from lit_an.seeds import mix_seed
from lit_an.tasks.batch_parts import batch_size, split_batch
from lit_an.tasks.preview import Preview
from lit_an.tasks.resuming import (
    NetworkTraining,
    apply_config,
    check_checkpoint,
    make_training,
    step_schedule,
    write_progress,
)
from lit_an.tasks.term_log import TermLog
from lit_an.tasks.turns import train_only

Terms = dict[str, Tensor]


class AdversarialTask(pl.LightningModule):
    """Trains a generator against a discriminator.

    A subclass computes the loss terms of both networks from a batch (``discriminator_terms``, ``generator_terms``).
    This class makes the updates: per iteration ``discriminator_steps`` steps of the discriminator and one of the
    generator, each on the mean gradient of ``accumulate`` parts of its batch.

    All randomness inside an iteration is a function of the run's seed, the iteration and the rank, so a resumed
    run draws the same numbers as an uninterrupted one.

    Args:
        generator, discriminator: the networks.
        generator_optimizer, discriminator_optimizer: from parameters to an optimizer.
        generator_scheduler, discriminator_scheduler: from an optimizer to a learning-rate schedule over iterations,
            or None for a constant rate.
        discriminator_steps: discriminator steps per generator step, ≥ 1.
        accumulate: parts that each step's batch is split into to save memory, ≥ 1.
        gradient_clip_norm: largest norm of a network's gradient at a step; 0 for no limit.
        channels_last: lay out convolutions channels-last, faster in mixed precision.

    Raises:
        InputError: a number out of range.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        generator_optimizer: OptimizerCallable,
        discriminator_optimizer: OptimizerCallable,
        *,
        generator_scheduler: LRSchedulerCallable | None = None,
        discriminator_scheduler: LRSchedulerCallable | None = None,
        discriminator_steps: int = 1,
        accumulate: int = 1,
        gradient_clip_norm: float = 0.0,
        channels_last: bool = True,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        at_least(type(self).__name__, 1, discriminator_steps=discriminator_steps, accumulate=accumulate)
        at_least(type(self).__name__, 0, gradient_clip_norm=gradient_clip_norm)
        self.generator, self.discriminator = generator, discriminator
        if channels_last:
            generator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            discriminator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._optimizers_of = (generator_optimizer, discriminator_optimizer)
        self._schedulers_of = (generator_scheduler, discriminator_scheduler)
        self.discriminator_steps, self.accumulate = discriminator_steps, accumulate
        self.gradient_clip_norm, self.channels_last = gradient_clip_norm, channels_last
        self.iteration = 0
        self.images_seen = 0
        self.averaged_weights: Callable[[], AbstractContextManager[None]] = nullcontext
        self._run_seed = 0
        self._trainings: list[NetworkTraining] = []
        self._resumed_from: dict[str, Any] | None = None
        self._term_log = TermLog()

    # What a subclass computes

    def discriminator_terms(self, batch: Any) -> Terms:
        """Loss terms of the discriminator on a batch, by name; their sum is minimized.

        The set of terms may depend on the iteration but not on the batch or the rank, since the log averages each term
        over ranks (see ``TermLog``).
        """
        raise NotImplementedError

    def generator_terms(self, batch: Any) -> Terms:
        """Loss terms of the generator on a batch, by name; see ``discriminator_terms``."""
        raise NotImplementedError

    def run_networks(self, batch: Any) -> None:
        """Runs both networks once on a batch as in a training step, so that hooks can observe their features."""
        raise NotImplementedError

    def trains_discriminator(self) -> bool:
        """Whether the discriminator is trained in this iteration; otherwise its updates are skipped."""
        return True

    def preview(self, columns: int, rows: int) -> Preview:
        """Images of fixed inputs for logging: at most ``rows`` rows of ``columns`` each."""
        raise NotImplementedError

    # One iteration

    def training_step(self, batch: Any, batch_idx: int) -> None:
        """``discriminator_steps`` steps of the discriminator, then one of the generator."""
        self._seed_iteration()
        generator_optimizer, discriminator_optimizer = cast(list[LightningOptimizer], self.optimizers())
        parts = split_batch(batch, self.discriminator_steps)
        if self.trains_discriminator():
            for part in parts:
                terms = self._update(self.discriminator, discriminator_optimizer, self.discriminator_terms, part)
                self._term_log.add("discriminator", terms)
        # The generator's step sees as many images as one discriminator step.
        terms = self._update(self.generator, generator_optimizer, self.generator_terms, parts[-1])
        self._term_log.add("generator", terms)
        self._log_terms()
        self._count(batch)

    def _update(
        self, network: nn.Module, optimizer: LightningOptimizer, compute_terms: Callable[[Any], Terms], batch: Any
    ) -> Terms:
        """Makes one optimizer step of a network; returns the mean of each of its loss terms."""
        means: Terms = {}
        parts = split_batch(batch, self.accumulate)
        with train_only(network, self.generator, self.discriminator):
            for index, part in enumerate(parts):
                terms = compute_terms(part)
                with nullcontext() if index == len(parts) - 1 else self._without_gradient_sync():
                    self.manual_backward(torch.stack(list(terms.values())).sum() / len(parts))
                for name, term in terms.items():
                    means[name] = means.get(name, 0) + term.detach() / len(parts)
            optimizer.step()
            optimizer.zero_grad()
        return means

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Clips gradients after those of a scaled loss (fp16) have been unscaled."""
        if self.gradient_clip_norm > 0:
            parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
            nn.utils.clip_grad_norm_(parameters, self.gradient_clip_norm)

    def _without_gradient_sync(self) -> AbstractContextManager[None]:
        strategy = self.trainer.strategy
        return strategy.block_backward_sync() if isinstance(strategy, DDPStrategy) else nullcontext()

    def _count(self, batch: Any) -> None:
        """Counts the iteration, steps the schedules, and ends a run that has reached its length."""
        self.iteration += 1
        self.images_seen += batch_size(batch) * self.trainer.world_size
        for training in self._trainings:
            if training.schedule is not None:
                step_schedule(training.side, training.schedule)
        # Lightning counts optimizer steps; if one is skipped, its own limit is never reached.
        if self.trainer.max_steps >= 0 and self.optimizer_steps(self.iteration) >= self.trainer.max_steps:
            self.trainer.should_stop = True

    def _orthogonality(self, network: nn.Module, weight: float) -> Terms:
        """The penalties of a network's norms as a term, if there are any."""
        penalty = total_penalty(network) if weight > 0 else None
        return {} if penalty is None else {"orthogonality": weight * penalty}

    def _laid_out(self, image: Tensor) -> Tensor:
        return image.contiguous(memory_format=torch.channels_last) if self.channels_last else image

    def _seed_iteration(self) -> None:
        torch.manual_seed(mix_seed(self._run_seed, self.iteration, self.global_rank))

    # Lengths, logs, checkpoints

    def optimizer_steps(self, iterations: int) -> int:
        """Converts iterations to Lightning's ``max_steps``, which counts the steps of both optimizers."""
        return iterations * (self.discriminator_steps + 1)

    def _log_terms(self) -> None:
        """Logs only at Lightning's log interval, since logging costs more than a small step.

        Each term is averaged over ranks. The set of terms depends on the iteration alone, so all ranks have the same.
        """
        interval: int = self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        if interval == 0 or (self.iteration + 1) % interval:
            return
        terms, dropped = self._term_log.take()
        results = self.trainer._results
        assert results is not None
        for result in results.values():
            # Lightning logs a value until the epoch ends, and a run is one epoch.
            if result.meta.name.removeprefix("train/") in dropped:
                result.reset()
        for name, term in terms.items():
            self._log(f"train/{name}", term, prog_bar=name.endswith("/adversarial"))
        self._log("step", torch.tensor(self.iteration + 1.0))

    def _log(self, name: str, value: Tensor, **kwargs: Any) -> None:
        """Logs the mean over ranks."""
        self.log(name, value, sync_dist=self.trainer.world_size > 1, **kwargs)

    def setup(self, stage: str) -> None:
        """Prepares the strategy: each backward pass leaves the other network's parameters unused."""
        if isinstance(self.trainer.strategy, DDPStrategy):
            self.trainer.strategy._ddp_kwargs.setdefault("find_unused_parameters", True)
        self.check_data(getattr(self.trainer, "datamodule", None))

    def check_data(self, data: Any) -> None:
        """Checks that the networks and the data fit together.

        Args:
            data: a data module, or None if the data are unknown.

        Raises:
            InputError: the image sizes differ; subclasses check more.
        """
        parts = (("generator", self.generator), ("discriminator", self.discriminator), ("data", data))
        sizes = {name: part.image_size for name, part in parts if hasattr(part, "image_size")}
        if len(set(sizes.values())) > 1:
            said = ", ".join(f"{name} {size}" for name, size in sizes.items())
            raise InputError(f"image_size differs: {said}; set the same for all of them")

    def on_fit_start(self) -> None:
        """Applies the config to a checkpoint's optimizers, which Lightning restores next."""
        self._run_seed = torch.initial_seed()
        self._term_log = TermLog()
        if self._resumed_from is not None:
            for line in apply_config(self._trainings, self._resumed_from, self.iteration):
                rank_zero_info(line)
            self._resumed_from = None

    def on_train_start(self) -> None:
        """Removes log entries after the checkpoint of a resumed run."""
        for logger in self.trainer.loggers if self.iteration > 0 else []:
            if hasattr(logger, "drop_after"):
                logger.drop_after(self.iteration)

    def configure_optimizers(self) -> Any:
        """One optimizer per network, generator first, and their schedules.

        Raises:
            InputError: an optimizer or schedule rejects a number, or a schedule depends on a metric.
        """
        sides = (("generator", self.generator), ("discriminator", self.discriminator))
        made = zip(sides, self._optimizers_of, self._schedulers_of, strict=True)
        self._trainings = [make_training(*side, optimizer, schedule) for side, optimizer, schedule in made]
        return [
            {"optimizer": training.optimizer}
            | ({} if training.schedule is None else {"lr_scheduler": training.schedule})
            for training in self._trainings
        ]

    @contextmanager
    def evaluation(self) -> Iterator[None]:
        """Evaluation mode with averaged weights, if a callback keeps any, and no gradients."""
        modes = [(module, module.training) for module in self.modules()]
        with torch.no_grad(), self.averaged_weights(), self.trainer.precision_plugin.forward_context():
            self.eval()
            try:
                yield
            finally:
                for module, mode in modes:
                    module.training = mode

    def get_extra_state(self) -> dict[str, Any]:
        """The counters, kept as Python numbers so that reading them does not synchronize with the device."""
        return {"iteration": self.iteration, "images_seen": self.images_seen}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        self.iteration, self.images_seen = state["iteration"], state["images_seen"]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Rejects the weights of another architecture with one sentence.

        Raises:
            InputError: a parameter is missing, unknown or of another shape, or the checkpoint is of a newer format.
        """
        check_checkpoint(self.state_dict(), checkpoint, keeps_average=self.averaged_weights is not nullcontext)
        if self.trainer.state.fn == "fit":
            self._resumed_from = checkpoint

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds the entries that the states of the networks and optimizers do not hold."""
        write_progress(checkpoint, self, self.iteration, self._trainings)

"""Base of all GAN tasks: alternating updates with manual optimization.

One Lightning batch is one iteration: it holds the images of all discriminator steps. So Lightning's counters of
batches, its logging steps and ``val_check_interval`` count generator iterations.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, cast

import pytorch_lightning as pl
import torch
from pytorch_lightning.cli import LRSchedulerCallable, OptimizerCallable
from pytorch_lightning.core.optimizer import LightningOptimizer
from pytorch_lightning.utilities.rank_zero import rank_zero_info
from torch import Tensor, nn
from torch.optim import Optimizer

from lit_an.checkpoints.format import read_entries, write_entries
from lit_an.errors import at_least
from lit_an.seeds import mix_seed
from lit_an.tasks.batch_parts import batch_size, check_image_sizes, split_batch
from lit_an.tasks.compiling import check_backend, compile_networks, uncompile_networks
from lit_an.tasks.game import Game, Terms
from lit_an.tasks.log_rows import drop_logged_after, forget_shown, learning_rates, logs_iteration, write_row
from lit_an.tasks.missed_validation import make_up_validation
from lit_an.tasks.networkwise_ddp import wrap_networkwise
from lit_an.tasks.non_finite import Policy
from lit_an.tasks.number_control import NumberControl
from lit_an.tasks.resuming import (
    NetworkTraining,
    apply_config,
    check_checkpoint,
    make_training,
    step_schedule,
    write_progress,
)
from lit_an.tasks.term_log import TermLog
from lit_an.tasks.training_clock import TrainingClock
from lit_an.tasks.turns import evaluation_mode, gradient_exchange, share_buffers, train_only

_SHOWN = ("/adversarial", "/hole")  # terms that progress bars show


class AdversarialTask(Game, pl.LightningModule):
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
        compile: backend of ``torch.compile`` for both networks in training, such as ``inductor``; None for none.
            Evaluation and gradient penalties are not compiled; see ``lit_an.tasks.compiling``.
        non_finite: what follows numbers that are not finite: ``stop`` ends the run at the next log iteration or
            checkpoint with a sentence; ``skip`` drops each update whose gradients are not finite, and waits for the
            device once per update to know; ``ignore`` goes on with a warning.

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
        compile: str | None = None,
        non_finite: Policy = "stop",
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        at_least(type(self).__name__, 1, discriminator_steps=discriminator_steps, accumulate=accumulate)
        at_least(type(self).__name__, 0, gradient_clip_norm=gradient_clip_norm)
        check_backend(compile)
        self.generator, self.discriminator = generator, discriminator
        if channels_last:
            generator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            discriminator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.make_optimizers = (generator_optimizer, discriminator_optimizer)
        self._schedulers_of = (generator_scheduler, discriminator_scheduler)
        self.discriminator_steps, self.accumulate = discriminator_steps, accumulate
        self.gradient_clip_norm, self.channels_last, self.backend = gradient_clip_norm, channels_last, compile
        self.iteration = self.images_seen = 0
        self.averaged_weights: Callable[[], AbstractContextManager[None]] = nullcontext
        self.average: Callable[[], Mapping[str, Tensor]] = dict
        self._run_seed = 0
        self._trainings: list[NetworkTraining] = []
        self._resumed_from: dict[str, Any] | None = None
        self._term_log = TermLog()
        self.clock = TrainingClock()
        self._numbers = NumberControl(self, non_finite)
        self.logs_now = False  # whether this iteration is logged
        self.images_now = 0  # of this iteration, in all processes

    # One iteration

    def training_step(self, batch: Any, batch_idx: int) -> None:
        """``discriminator_steps`` steps of the discriminator, then one of the generator."""
        self._seed_iteration()
        self.images_now = batch_size(batch) * self.trainer.world_size
        # Only at Lightning's log interval, since logging costs more than a small step.
        self.logs_now = logs_iteration(self.trainer, self.iteration + 1)
        generator_optimizer, discriminator_optimizer = cast(list[LightningOptimizer], self.optimizers())
        parts = split_batch(batch, self.discriminator_steps)
        if self.trains_discriminator():
            for part in parts:
                if part is parts[-1]:
                    self.before_last_step(part)
                self._update(self.discriminator, discriminator_optimizer, self.discriminator_terms, part)
        # The generator's step sees as many images as one discriminator step.
        self._update(self.generator, generator_optimizer, self.generator_terms, parts[-1])
        if self.logs_now:
            self._log_terms()
        self._count()
        self.clock.stop()

    def _update(
        self, network: nn.Module, optimizer: LightningOptimizer, compute_terms: Callable[[Any], Terms], batch: Any
    ) -> None:
        """Makes one optimizer step of a network; logs the mean of each of its loss terms."""
        names, means = cast(tuple[str, ...], ()), cast(Tensor, 0)
        parts = split_batch(batch, self.accumulate)
        side = "generator" if network is self.generator else "discriminator"
        with train_only(network, self.generator, self.discriminator), self._numbers.update(side):
            for index, part in enumerate(parts):
                terms = compute_terms(part)
                names, values = tuple(terms), torch.stack(list(terms.values()))
                with gradient_exchange(self.trainer.strategy, index == len(parts) - 1):
                    self.manual_backward(values.sum() / len(parts))
                means = means + values.detach() / len(parts)
            optimizer.step()
            optimizer.zero_grad()
        self._numbers.see(side, names, means)
        self._term_log.add(side, dict(zip(names, means.unbind(), strict=True)))

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Judges and clips gradients after those of a scaled loss (fp16) have been unscaled."""
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        self._numbers.drop_update(parameters)
        if self.gradient_clip_norm > 0:
            self._numbers.unscale(optimizer)
            nn.utils.clip_grad_norm_(parameters, self.gradient_clip_norm)

    def _count(self) -> None:
        """Counts the iteration, steps the schedules, and ends a run that has reached its length."""
        self.iteration += 1
        self.images_seen += self.images_now
        for training in self._trainings:
            if training.schedule is not None:
                step_schedule(training.side, training.schedule)
        self._stop_at_length()

    def _stop_at_length(self) -> None:
        """Ends a run that has its length; Lightning counts optimizer steps, of which some may be skipped."""
        if 0 <= self.trainer.max_steps <= self.optimizer_steps(self.iteration):
            self.trainer.should_stop = True

    def _seed_iteration(self) -> None:
        torch.manual_seed(mix_seed(self._run_seed, self.iteration, self.global_rank))

    # Lengths, logs, checkpoints

    def optimizer_steps(self, iterations: int) -> int:
        """Converts iterations to Lightning's ``max_steps``, which counts both optimizers' steps."""
        return iterations * (self.discriminator_steps + 1)

    def show(self, side: str, scalars: Terms) -> None:
        """Adds detached scalars of a part of an update to the log; all ranks add the same, if ``logs_now``."""
        self._term_log.note(side, scalars)

    def _log_terms(self) -> None:
        """Writes the mean over ranks of each term before any checkpoint of this iteration; then judges them."""
        terms, dropped = self._term_log.take()
        means, first = self._numbers.gather(terms)
        forget_shown(self.trainer, {f"train/{name}" for name in dropped})
        for name, mean in means.items():
            # For progress bars and callbacks. Lightning would write the row after the checkpoint of this iteration.
            self.log(f"train/{name}", mean, prog_bar=name.endswith(_SHOWN), logger=False)
        row = {f"train/{name}": mean for name, mean in {**means, **self._numbers.counts()}.items()}
        row |= learning_rates({training.side: training.optimizer for training in self._trainings})
        write_row(self.trainer, {**row, **self.clock.row(self.images_seen + self.images_now)}, self.iteration + 1)
        self._numbers.judge(first)

    def check_finite(self, together: bool = True) -> None:
        """Judges all that a checkpoint holds before it is written, ``together`` with all other processes.

        Raises:
            NonFiniteError: a number is not finite, and ``non_finite`` is not ``ignore``.
        """
        self._numbers.check_state(self._term_log.waiting(), together)

    def setup(self, stage: str) -> None:
        """Prepares the strategy, and checks the data."""
        wrap_networkwise(self.trainer.strategy)
        self.check_data(getattr(self.trainer, "datamodule", None))

    def check_data(self, data: Any) -> None:
        """Checks that the networks and the data fit together.

        Args:
            data: a data module, or None if the data are unknown.

        Raises:
            InputError: the image sizes differ; subclasses check more.
        """
        check_image_sizes(generator=self.generator, discriminator=self.discriminator, data=data)

    def on_fit_start(self) -> None:
        """Applies the config to a checkpoint's optimizers, which Lightning restores next; compiles the networks."""
        compile_networks(self.generator, self.discriminator, self.backend)
        self._run_seed = torch.initial_seed()
        self._term_log, self.clock = TermLog(), TrainingClock()
        if self._resumed_from is not None:
            for line in apply_config(self._trainings, self._resumed_from, self.iteration, self.optimizer_steps(1)):
                rank_zero_info(line)
            entries = read_entries(self._resumed_from, "the checkpoint")
            self._term_log.restore(entries.terms, self.device)
            self.clock.go_on(entries.seconds, self.images_seen)
            self._resumed_from = None

    def on_train_start(self) -> None:
        """Removes log entries after this iteration, of a run before, and makes up a validation that it lacks."""
        drop_logged_after(self.trainer, self.iteration)
        make_up_validation(self.trainer, self.iteration, self.optimizer_steps(self.iteration))
        self._stop_at_length()
        self.clock.start()

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Lets the clock run again, after the pictures and checkpoints of an iteration."""
        self.clock.start()

    def on_fit_end(self) -> None:
        """As ``on_train_start``, for a run with nothing left to train."""
        uncompile_networks(self.generator, self.discriminator)
        make_up_validation(self.trainer, self.iteration, self.optimizer_steps(self.iteration))

    def configure_optimizers(self) -> Any:
        """One optimizer per network, generator first, and their schedules.

        Raises:
            InputError: an optimizer or schedule rejects a number, or a schedule depends on a metric.
        """
        sides = (("generator", self.generator), ("discriminator", self.discriminator))
        made = zip(sides, self.make_optimizers, self._schedulers_of, strict=True)
        self._trainings = [make_training(*side, optimizer, schedule) for side, optimizer, schedule in made]
        self._numbers.follow([training.optimizer for training in self._trainings])
        return [
            {"optimizer": training.optimizer}
            | ({} if training.schedule is None else {"lr_scheduler": training.schedule})
            for training in self._trainings
        ]

    def on_validation_start(self) -> None:
        """All processes evaluate the networks that a checkpoint holds; callbacks have put the average in place."""
        self.clock.stop()
        share_buffers((self.generator, self.discriminator))

    def on_validation_end(self) -> None:
        """Lets the clock run again; a validation outside of a training has none."""
        self.clock.start()

    on_test_start = on_validation_start

    @contextmanager
    def evaluation(self) -> Iterator[None]:
        """Evaluation mode with averaged weights, if a callback keeps any, and no gradients."""
        context = self.trainer.precision_plugin.forward_context()
        with torch.no_grad(), self.averaged_weights(), context, evaluation_mode(self):
            yield

    def get_extra_state(self) -> dict[str, Any]:
        """The counters, kept as Python numbers so that reading them does not synchronize with the device."""
        return {"iteration": self.iteration, "images_seen": self.images_seen, **self._numbers.watch.state()}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        self.iteration, self.images_seen = state["iteration"], state["images_seen"]
        self._numbers.watch.load_state(state)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Rejects the weights of another architecture with one sentence.

        Raises:
            InputError: a parameter is missing, unknown or of another shape, the checkpoint is of a newer format, or
                a number in it is not finite.
        """
        self.trainer.precision_plugin.convert_module(self)  # later, and float64 would be rounded to float32 first
        average, names = self.averaged_weights is not nullcontext, getattr(self, "class_names", ())
        check_checkpoint(self.state_dict(), checkpoint, average, names)
        self._numbers.check_checkpoint(checkpoint)
        if self.trainer.state.fn == "fit":
            self._resumed_from = checkpoint

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds the entries that the states of the networks and optimizers do not hold; judges these states."""
        write_progress(checkpoint, self, self.iteration, self._trainings)
        is_finite, waiting = self._numbers.judged(self._term_log.waiting())
        write_entries(checkpoint, finite=is_finite, terms=waiting, seconds=list(self.clock.sums()))

"""Applies the policy for numbers that are not finite to a task and its trainer, in all processes alike."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import torch
from pytorch_lightning.utilities.rank_zero import rank_zero_warn
from torch import Tensor, nn
from torch.optim import Optimizer

from lit_an.checkpoints.format import read_entries
from lit_an.tasks.non_finite import NonFinite, NumberWatch, Policy, check_finite_checkpoint
from lit_an.tensors.finite import first_non_finite


class NumberControl:
    """What a task asks about its numbers.

    Args:
        task: the ``AdversarialTask`` whose numbers.
        policy: see ``NumberWatch``.

    Attributes:
        watch: the terms and counts.
    """

    def __init__(self, task: Any, policy: Policy) -> None:
        self._task = task
        self.watch = NumberWatch(policy)
        self._steps = 0  # of both optimizers
        self._is_dropped = False
        self._before_shared: dict[str, Tensor] = {}  # statistics before a pass that two updates share
        self._judged: tuple[bool, dict[str, float]] | None = None  # the state of this moment

    # Updates

    def follow(self, optimizers: Sequence[Optimizer]) -> None:
        """Counts the steps that optimizers make: the loss scale of fp16 leaves out those that overflow."""

        def count(optimizer: Any, *args: Any) -> None:
            # A fused optimizer makes its step itself, or none; in fp16 it is told which.
            found = getattr(optimizer, "found_inf", None)
            self._steps += found is None or not found.item()

        for optimizer in optimizers:
            optimizer.register_step_post_hook(count)

    @contextmanager
    def update(self, side: str) -> Iterator[None]:
        """Around an update: one that is dropped leaves the running statistics as they were, too."""
        self._judged, self._is_dropped, steps = None, False, self._steps
        kept = self._copied_buffers() if self.watch.policy == "skip" else {}
        if side == "generator":
            kept, self._before_shared = kept | self._before_shared, {}
        yield
        scale = self._scale
        by_scale = scale is not None and self._steps == steps
        if self._is_dropped:
            for name, buffer in self._task.named_buffers():
                # Not as an operation on the buffer: the graph of a shared pass holds it until the other update.
                buffer.data.copy_(kept[name])
        self._is_dropped = self._is_dropped or by_scale
        if self.watch.count(side, self._is_dropped, by_scale):
            self.watch.give_up(side, self._task.iteration + 1, self._folder, None if scale is None else scale())

    def before_shared_pass(self) -> None:
        """Called before a pass of the generator that the discriminator's update uses too: it is the generator's."""
        if self.watch.policy == "skip":
            buffers = self._copied_buffers().items()
            self._before_shared = {name: kept for name, kept in buffers if name.startswith("generator.")}

    def see(self, side: str, names: Sequence[str], values: Tensor) -> None:
        """Watches the terms of the update that was just made; those of a dropped one have changed nothing."""
        if not self._is_dropped:
            self.watch.see(side, names, values, self._task.iteration + 1)

    def drop_update(self, parameters: list[nn.Parameter]) -> None:
        """With the policy ``skip``: takes away gradients that are not finite. In fp16 the loss scale does that."""
        if self.watch.policy != "skip" or self._scale is not None:
            return
        place = self.watch.drop_gradients(parameters)
        if place is not None:
            self._is_dropped = True
            name = next((n for n, p in self._task.named_parameters() if p is parameters[place]), "a parameter")
            self.watch.say(
                f"an update is skipped at iteration {self._task.iteration + 1}, since the gradient of {name} is not "
                "finite; train/skipped_updates counts them",
                "skipped",
            )

    def unscale(self, optimizer: Optimizer) -> None:
        """Takes the loss scale of fp16 off gradients, where an optimizer would do it in its step: a fused one."""
        scaler = getattr(self._task.trainer.precision_plugin, "scaler", None)
        if scaler is not None and getattr(optimizer, "_step_supports_amp_scaling", False):
            scaler.unscale_(optimizer)

    def counts(self) -> dict[str, float]:
        """Counts for the log: updates that the policy or the loss scale dropped, where they can."""
        if self._scale is not None:
            return {"fp16_overflows": float(self.watch.overflows)}
        return {"skipped_updates": float(self.watch.skipped)} if self.watch.policy == "skip" else {}

    def _copied_buffers(self) -> dict[str, Tensor]:
        return {name: buffer.clone() for name, buffer in self._task.named_buffers()}

    @property
    def _scale(self) -> Any:
        """Reads the loss scale of fp16; None without one."""
        scaler = getattr(self._task.trainer.precision_plugin, "scaler", None)
        return None if scaler is None else scaler.get_scale

    # Terms

    def gather(self, terms: Mapping[str, Tensor]) -> tuple[dict[str, float], dict[str, float]]:
        """The mean of each term over ranks, and the first iteration at which each was not finite on any rank.

        One exchange between processes and one transfer from the device for all of them.

        Args:
            terms: scalars by name, the same names on all ranks.
        """
        return self._exchange(terms, self.watch.seen(), together=True)

    def judge(self, first: Mapping[str, float]) -> None:
        """Ends the run or warns if a term was not finite.

        Args:
            first: of ``gather``.

        Raises:
            NonFiniteError: see ``NumberWatch.respond``.
        """
        found = _earliest(first)
        if found is not None:
            self.watch.respond(found, self._folder)

    def _exchange(
        self, terms: Mapping[str, Tensor], first: Mapping[str, Tensor], together: bool
    ) -> tuple[dict[str, float], dict[str, float]]:
        values = [*terms.values(), *first.values()]
        if not values:
            return {}, {}
        device = self._task.device
        kind = torch.float32 if device.type == "mps" else torch.float64
        rows = torch.stack([value.detach().to(device, kind) for value in values])[None]
        if together and self._task.trainer.world_size > 1:
            rows = cast(Tensor, self._task.trainer.strategy.all_gather(rows[0]))
        count = len(terms)
        found = torch.cat([rows[:, :count].mean(0), rows[:, count:].amin(0)]).tolist()
        return dict(zip(terms, found[:count], strict=True)), dict(zip(first, found[count:], strict=True))

    # States

    def check_state(self, waiting: Mapping[str, Tensor], together: bool) -> None:
        """See ``AdversarialTask.check_finite``.

        Args:
            waiting: terms that are not logged yet; a checkpoint holds their means over ranks.
            together: whether all processes call it.
        """
        task = self._task
        name = first_non_finite(self._state())
        first = self.watch.seen()
        state = torch.tensor(torch.inf if name is None else task.iteration, device=task.device)
        means, found = self._exchange(waiting, {**first, "": state}, together)
        is_finite = found.pop("") == torch.inf
        begun = _earliest(found)
        if begun is None and not is_finite:
            begun = NonFinite(name or "the state of another process", task.iteration)
        self._judged = is_finite, means
        if begun is not None:
            self.watch.respond(begun, self._folder)

    def judged(self, waiting: Mapping[str, Tensor]) -> tuple[bool, dict[str, float]]:
        """Whether the state of this moment is finite, and the means of the waiting terms; judges it if need be."""
        if self._judged is None:
            self.check_state(waiting, together=False)
        assert self._judged is not None
        return self._judged

    def check_checkpoint(self, checkpoint: Mapping[str, Any]) -> None:
        """Rejects a checkpoint that is not finite; only a training that ignores such numbers goes on from one.

        Raises:
            InputError: see ``check_finite_checkpoint``.
        """
        if self.watch.policy == "ignore" and self._task.trainer.state.fn == "fit":
            if not read_entries(checkpoint, "the checkpoint").finite:
                rank_zero_warn("the checkpoint holds numbers that are not finite", category=UserWarning)
            return
        check_finite_checkpoint(checkpoint, read_entries(checkpoint, "the checkpoint").average)

    def _state(self) -> dict[str, Any]:
        """All that a checkpoint holds of the task, by names for sentences; not copies."""
        task = self._task
        found: dict[str, Any] = dict(task.state_dict(keep_vars=True))
        found |= {f"the average of generator.{name}": tensor for name, tensor in task.average().items()}
        names = {parameter: name for name, parameter in task.named_parameters()}
        for optimizer in task.trainer.optimizers:
            for parameter, state in optimizer.state.items():
                found |= {f"{key} of {names.get(parameter)} in its optimizer": value for key, value in state.items()}
        return found

    @property
    def _folder(self) -> Path:
        return Path(self._task.trainer.default_root_dir, "checkpoints")


def _earliest(first: Mapping[str, float]) -> NonFinite | None:
    """The term that was not finite first."""
    began = {name: iteration for name, iteration in first.items() if iteration != torch.inf}
    return min((NonFinite(name, int(i)) for name, i in began.items()), key=lambda each: each.iteration, default=None)

"""Numbers that are not finite in a training: where they began, which updates they cost, and how a run goes on.

Terms are watched on the device at every update without waiting for it, and read at log iterations, whose values are
read anyway. The state is judged before each checkpoint.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from pytorch_lightning.utilities.rank_zero import rank_zero_warn
from torch import Tensor, nn

from lit_an.checkpoints.files import load_checkpoint
from lit_an.checkpoints.format import read_entries
from lit_an.checkpoints.places import numbered_in
from lit_an.errors import InputError, NonFiniteError
from lit_an.tensors.finite import first_non_finite, tensors_of_checkpoint

Policy = Literal["stop", "skip", "ignore"]
POLICIES = ("stop", "skip", "ignore")
# Updates in a row without a step, after which no step is expected any more. A loss scale of 2^16 is then 2^-24.
LONGEST = 40
_OPTION = "--model.non_finite"


class NonFinite(NamedTuple):
    """What was not finite first.

    Attributes:
        what: a term (``generator/adversarial``) or a tensor, for sentences.
        iteration: the number of the iteration, from 1.
    """

    what: str
    iteration: int


class NumberWatch:
    """Watches the numbers of a training, and does what the policy says.

    Args:
        policy: ``stop`` ends the run with a sentence; ``skip`` drops updates whose gradients are not finite, and ends
            the run only if the state is not finite or no update is possible; ``ignore`` goes on with a warning.

    Attributes:
        skipped: updates dropped since the run began.
        overflows: updates that the loss scale of fp16 dropped since the run began.

    Raises:
        InputError: an unknown policy.
    """

    def __init__(self, policy: Policy) -> None:
        if policy not in POLICIES:
            raise InputError(f"non_finite must be one of {', '.join(POLICIES)}, got {policy!r}")
        self.policy = policy
        self.skipped = self.overflows = 0
        self._first: dict[tuple[str, ...], Tensor] = {}
        self._in_a_row: dict[str, int] = {}
        self._said: set[str] = set()

    # Terms

    def see(self, side: str, names: Iterable[str], values: Tensor, iteration: int) -> None:
        """Notes the loss terms of an update; a few operations on the device, nothing is read.

        Args:
            side: ``generator`` or ``discriminator``.
            names: of the terms.
            values: (terms,), detached.
            iteration: the number of the iteration, from 1.
        """
        key = tuple(f"{side}/{name}" for name in names)
        first = self._first.get(key)
        if first is None:
            first = torch.full_like(values, math.inf, dtype=torch.float32)
        # False for NaN, too.
        self._first[key] = torch.where(values.abs() < math.inf, first, first.clamp_max(iteration))

    def seen(self) -> dict[str, Tensor]:
        """For each term since the last call the first iteration at which it was not finite, on its device, or ∞."""
        taken, self._first = self._first, {}
        found: dict[str, Tensor] = {}
        for names, first in taken.items():
            for name, value in zip(names, first.unbind(), strict=True):
                found[name] = torch.minimum(found[name], value) if name in found else value
        return found

    # Updates

    def drop_gradients(self, parameters: Sequence[nn.Parameter]) -> int | None:
        """Takes away the gradients of an update if one is not finite, so that an optimizer changes nothing.

        It waits for the device once.

        Returns:
            The place of the first parameter whose gradient is not finite, or None.
        """
        found = first_non_finite({str(place): parameter.grad for place, parameter in enumerate(parameters)})
        if found is None:
            return None
        for parameter in parameters:
            parameter.grad = None
        return int(found)

    def count(self, side: str, is_dropped: bool, by_scale: bool) -> bool:
        """Counts an update.

        Args:
            side: of which network.
            is_dropped: whether it changed nothing.
            by_scale: whether the loss scale of fp16 dropped it.

        Returns:
            Whether more updates in a row were dropped than a run can recover from.
        """
        self.skipped += is_dropped and not by_scale
        self.overflows += is_dropped and by_scale
        self._in_a_row[side] = self._in_a_row.get(side, 0) + 1 if is_dropped else 0
        return self._in_a_row[side] >= LONGEST

    def state(self) -> dict[str, int]:
        """The counts that are not 0, for a checkpoint."""
        counts = {"skipped_updates": self.skipped, "fp16_overflows": self.overflows}
        return {name: count for name, count in counts.items() if count}

    def load_state(self, state: Mapping[str, int]) -> None:
        """Restores what ``state()`` returned."""
        self.skipped, self.overflows = state.get("skipped_updates", 0), state.get("fp16_overflows", 0)

    # What follows

    def respond(self, found: NonFinite, folder: Path) -> None:
        """Ends the run, or warns once if the policy is ``ignore``.

        Args:
            found: what is not finite.
            folder: of the run's checkpoints.

        Raises:
            NonFiniteError: the policy is not ``ignore``.
        """
        sentence = f"{found.what} is not finite since iteration {found.iteration}"
        if self.policy != "ignore":
            raise NonFiniteError(f"{sentence}; {self._remedy(folder)}")
        self.say(f"{sentence}; the run goes on as {_OPTION} ignore says, and marks its checkpoints", "not finite")

    def give_up(self, side: str, iteration: int, folder: Path, scale: float | None) -> None:
        """Ends a run that can make no update.

        Args:
            side: the network.
            iteration: the number of the iteration, from 1.
            folder: of the run's checkpoints.
            scale: the loss scale of fp16, or None without one.

        Raises:
            NonFiniteError: always.
        """
        why = "" if scale is None else f" at any loss scale of fp16 (now {scale:.1g})"
        raise NonFiniteError(
            f"the {side} has made no update in {LONGEST} attempts up to iteration {iteration}, since its gradients are "
            f"not finite{why}; {self._remedy(folder)}"
        )

    def say(self, sentence: str, subject: str) -> None:
        """Warns once of a subject."""
        if subject not in self._said:
            self._said.add(subject)
            rank_zero_warn(sentence, category=UserWarning)

    def _remedy(self, folder: Path) -> str:
        good = next(finite_checkpoints(folder), None)
        how = "a lower learning rate" + (f", or with {_OPTION} skip" if self.policy == "stop" else "")
        if good is None:
            return f"no checkpoint from before is there: start again with {how}"
        path, iteration = good
        return f"the checkpoint of iteration {iteration} is finite: go on from it with --ckpt_path {path} and {how}"


def finite_checkpoints(folder: Path) -> Iterator[tuple[Path, int]]:
    """The numbered checkpoints of a folder whose numbers are all finite, with their iterations, newest first."""
    for path in numbered_in(folder):
        try:
            checkpoint = load_checkpoint(path)
            entries = read_entries(checkpoint, str(path))
        except InputError:
            continue
        if entries.finite and first_non_finite(tensors_of_checkpoint(checkpoint, entries.average)) is None:
            yield path, entries.iteration or 0


def check_finite_checkpoint(checkpoint: Mapping[str, object], average: Mapping[str, Tensor]) -> None:
    """Rejects a checkpoint that holds numbers which are not finite.

    Raises:
        InputError: its sentence names the first such tensor.
    """
    name = first_non_finite(tensors_of_checkpoint(checkpoint, average))
    if name is not None:
        raise InputError(
            f"the checkpoint cannot be used, since {name} is not finite: its run diverged; give an earlier checkpoint"
        )

"""One whole iteration of a task without values: all steps of the discriminator and the generator's, counted."""

from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import nn

from lit_an.tasks.adversarial import AdversarialTask
from lit_an.tasks.batch_parts import batch_size, check_split, split_batch
from lit_an.tasks.turns import train_only
from lit_an.training_costs.optimizers import OptimizerNeeds, optimizer_needs
from lit_an.training_costs.recording import Operation, Recording
from lit_an.training_costs.valueless import as_on_a_device, batch_like


class IterationCounts(NamedTuple):
    """Counts of one iteration on one device.

    Not counted: loading, the exchange between devices, the average of the weights, validations, pictures.

    Attributes:
        operations: how often each takes place.
        peak: bytes in use at the worst moment beside the state of training: batch, activations, gradients, and frozen
            networks.
        kept: bytes between the forward and the backward pass that the forward pass has added: what autograd keeps and
            what the step holds anyway; of the larger update.
    """

    operations: Counter[Operation]
    peak: int
    kept: int

    @property
    def flops(self) -> int:
        """Of convolutions, matrix products and attention; two for a multiply-add."""
        return sum(operation.flops * count for operation, count in self.operations.items())

    @property
    def traffic(self) -> int:
        """Bytes of the inputs and outputs of all operations."""
        return sum(operation.traffic * count for operation, count in self.operations.items())

    @property
    def launches(self) -> int:
        """Number of operations that compute something."""
        return sum(self.operations.values())


def count_iteration(
    task: AdversarialTask, images: int, image_size: int, precision: str = "32-true", on_cpu: bool = False
) -> IterationCounts:
    """Counts one iteration of a task, as its ``iteration`` says which.

    Args:
        task: of ``without_values``.
        images: of one discriminator step on one device; a multiple of ``task.accumulate``.
        image_size: of their sides, in pixels.
        precision: Lightning's name of it; see ``as_on_a_device``.
        on_cpu: whether optimizers that are not fused go through one parameter after the other, as they do on a CPU.

    Raises:
        InputError: the networks do not take such images.
    """
    steps = task.discriminator_steps
    needs = tuple(map(optimizer_needs, task.make_optimizers))
    kept = []
    with as_on_a_device(precision), Recording() as record:
        update = _Update(task, record, on_cpu)
        parts = split_batch(batch_like(task, images * steps, image_size), steps)
        if task.trains_discriminator():
            if steps > 1:
                record.repeats = steps - 1
                kept.append(update(task.discriminator, task.discriminator_terms, parts[0], needs[1]))
            record.repeats = 1
            task.before_last_step(parts[-1])
            kept.append(update(task.discriminator, task.discriminator_terms, parts[-1], needs[1]))
        record.repeats = 1
        kept.append(update(task.generator, task.generator_terms, parts[-1], needs[0]))
    own = {tensor.untyped_storage()._cdata for tensor in (*task.parameters(), *task.buffers())}
    frozen = sum(size for key, size in record.outside.items() if key not in own)
    return IterationCounts(record.operations, record.peak + frozen, max(kept))


class _Update:
    """One update of a network, as ``AdversarialTask`` makes it."""

    def __init__(self, task: AdversarialTask, record: Recording, on_cpu: bool) -> None:
        self._task, self._record, self._on_cpu = task, record, on_cpu

    def __call__(self, network: nn.Module, terms: Callable[[Any], Any], batch: Any, needs: OptimizerNeeds) -> int:
        """Makes it; returns the bytes that the forward pass has added to those in use."""
        task, record = self._task, self._record
        repeats, parts, size = record.repeats, task.accumulate, batch_size(batch)
        check_split(size, parts)
        kept = 0
        with train_only(network, task.generator, task.discriminator):
            # All parts but the first find gradients to add to, so two stand for any number.
            for index in range(min(parts, 2)):
                part = slice(index * size // parts, (index + 1) * size // parts)
                piece = type(batch)(*(None if field is None else field[part] for field in batch))
                record.repeats, before = repeats * (parts - 1 if index else 1), record.live
                values = torch.stack(list(terms(piece).values()))
                kept = max(kept, record.live - before)
                (values.sum() / parts).backward()  # type: ignore[no-untyped-call]
        record.repeats = repeats
        self._step(network, needs)
        network.zero_grad(set_to_none=True)
        return kept

    def _step(self, network: nn.Module, needs: OptimizerNeeds) -> None:
        weights = [parameter for parameter in network.parameters() if parameter.requires_grad]
        if not weights:
            return
        sizes = [weight.numel() * weight.element_size() for weight in weights]
        # Reads and writes weights and what is kept, reads gradients.
        traffic = int((2 + 2 * needs.kept + 1) * sum(sizes))
        self._record.add(Operation(0, traffic, weights[0].dtype))
        if not needs.is_fused:
            self._record.need(2 * max(sizes) if self._on_cpu else sum(sizes))

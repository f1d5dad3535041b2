"""Memory, arithmetic and time of a training, computed from its networks without running them."""

from collections import Counter
from collections.abc import Sequence
from math import isqrt
from typing import Any, NamedTuple

from torch import nn

from lit_an.errors import InputError
from lit_an.tasks.adversarial import AdversarialTask
from lit_an.tasks.batch_parts import check_split
from lit_an.training_costs.devices import EFFICIENCY, Device, expected_seconds, seconds_at_best, seconds_of_arithmetic
from lit_an.training_costs.iteration import IterationCounts, count_iteration
from lit_an.training_costs.optimizers import optimizer_needs
from lit_an.training_costs.phases import Phase, phases
from lit_an.training_costs.valueless import without_values

_LONG = 10**9  # iterations of a run that has all phases
_MOST = 512  # images at once that are counted; attentive normalization goes through more of them in blocks


class Setting(NamedTuple):
    """How a task is trained.

    Attributes:
        images: of one discriminator step on one device.
        image_size: of their sides, in pixels.
        precision: Lightning's name of it.
        processes: that train together, one on each device.
        averages: whether an average of the generator's weights is kept.
        on_cpu: whether the device is a CPU.
    """

    images: int
    image_size: int
    precision: str = "32-true"
    processes: int = 1
    averages: bool = True
    on_cpu: bool = False


class TrainingCosts(NamedTuple):
    """What a training costs on one device; all bytes are computed, not measured.

    Attributes:
        state: bytes of weights, buffers, the optimizers' moments, the average, and DDP's copies of gradients.
        phases: of the run.
        counts: of an iteration of each phase.
    """

    state: int
    phases: Sequence[Phase]
    counts: Sequence[IterationCounts]

    @property
    def memory(self) -> int:
        """Bytes at the worst moment of the run."""
        return self.state + max(each.peak for each in self.counts)

    def seconds(self, device: Device, tf32: bool) -> float:
        """The least that the run takes on a device, in seconds (``seconds_at_best``)."""
        pairs = zip(self.phases, self.counts, strict=True)
        return sum(phase.times * seconds_at_best(each.operations, device, tf32) for phase, each in pairs)

    def expected_seconds(self, device: Device, tf32: bool) -> float:
        """Seconds that the run is expected to take on a device (``expected_seconds``)."""
        pairs = zip(self.phases, self.counts, strict=True)
        return sum(phase.times * expected_seconds(each.operations, device, tf32) for phase, each in pairs)

    def bound(self, device: Device, tf32: bool) -> str:
        """What most of ``seconds`` goes into: ``arithmetic`` or ``memory traffic``."""
        by_arithmetic = sum(
            phase.times * seconds_of_arithmetic(each.operations, device, tf32)
            for phase, each in zip(self.phases, self.counts, strict=True)
        )
        return "arithmetic" if 2 * by_arithmetic > self.seconds(device, tf32) else "memory traffic"

    def expected_bound(self, device: Device, tf32: bool) -> str:
        """What limits the expected time: ``launches`` if their time is more than half as long again."""
        waits = self.expected_seconds(device, tf32) > 1.5 * self.seconds(device, tf32) / EFFICIENCY
        return "launches" if waits else self.bound(device, tf32)


def _counted(task: AdversarialTask, setting: Setting) -> IterationCounts:
    """Counts an iteration; what of very many images at once is beyond fewer of them grows with their number."""
    at_once = setting.images // task.accumulate
    options = (setting.image_size, setting.precision, setting.on_cpu)
    if at_once <= _MOST:
        return count_iteration(task, setting.images, *options)
    check_split(setting.images, task.accumulate)
    few, many = (count_iteration(task, number * task.accumulate, *options) for number in (_MOST // 2, _MOST))
    more = at_once / _MOST
    operations = Counter({operation: round(count * more) for operation, count in many.operations.items()})
    beyond = 2 * (more - 1)
    return IterationCounts(
        operations,
        round(many.peak + beyond * (many.peak - few.peak)),
        round(many.kept + beyond * (many.kept - few.kept)),
    )


class Parts(NamedTuple):
    """A number of parts that a batch is computed in, and the memory that is then estimated.

    Attributes:
        accumulate: parts.
        memory: bytes.
    """

    accumulate: int
    memory: int


def estimate(task: AdversarialTask, setting: Setting, iterations: int | None = None) -> TrainingCosts:
    """Counts what a training costs.

    Args:
        task: on any device; it stays as it is.
        setting: of the training.
        iterations: of the whole run, ≥ 1; None for one that has all phases.

    Raises:
        InputError: the networks do not take such images, or cannot be run without values, or the batch cannot be
            split into ``task.accumulate`` parts.
    """
    copied = without_values(task)
    found = phases(copied, _LONG if iterations is None else iterations)
    counts = []
    for phase in found:
        copied.iteration = phase.iteration
        try:
            counts.append(_counted(copied, setting))
        except InputError:
            raise
        except (RuntimeError, NotImplementedError, TypeError) as error:
            raise UncountableError(" ".join(str(error).split())[:200]) from error
    return TrainingCosts(state_bytes(copied, setting), found, counts)


def fitting_parts(task: AdversarialTask, setting: Setting, memory: float) -> Parts | None:
    """The smallest number of parts that a batch has to be computed in to fit; None if none does.

    A part has no more images than with ``task.accumulate``, whose parts batch norm may have been meant to see.

    Args:
        task: on any device.
        setting: of the training.
        memory: bytes of a device.

    Raises:
        InputError: as ``estimate``.
    """
    copied = without_values(task)

    def tried(accumulate: int) -> Parts:
        copied.accumulate = accumulate
        return Parts(accumulate, estimate(copied, setting).memory)

    small = [parts for parts in range(1, isqrt(setting.images) + 1) if setting.images % parts == 0]
    both = sorted({*small, *(setting.images // parts for parts in small)})
    divisors = [parts for parts in both if parts >= task.accumulate]
    if not divisors:
        return None
    whole = tried(divisors[0])
    if whole.memory < memory:
        return whole
    single = tried(divisors[-1])
    if single.memory >= memory:
        return None
    # Memory grows with the images at once in pieces of straight lines, ever steeper: below the line between the ends.
    share = (memory - single.memory) / (whole.memory - single.memory)
    fewest = 1 / (share / whole.accumulate + (1 - share) / single.accumulate)
    index = next((index for index, parts in enumerate(divisors) if parts >= fewest), len(divisors) - 1)
    found = tried(divisors[index])
    while found.memory >= memory:  # the line was not straight
        index += 1
        found = tried(divisors[index])
    while index > 0 and (fewer := tried(divisors[index - 1])).memory < memory:
        index, found = index - 1, fewer
    return found


class UncountableError(Exception):
    """A task that cannot be run without values; the message is what it says."""


def state_bytes(task: AdversarialTask, setting: Setting) -> int:
    """Bytes that a training holds all the time: weights, buffers, moments, average, and DDP's copies of gradients."""
    total = 0
    for network, make in zip((task.generator, task.discriminator), task.make_optimizers, strict=True):
        trained = _bytes_of(each for each in network.parameters() if each.requires_grad)
        total += _bytes_of(network.parameters()) + _bytes_of(network.buffers())
        total += int(optimizer_needs(make).kept * trained)
        total += trained if setting.processes > 1 else 0
    return total + (_bytes_of(task.generator.state_dict().values()) if setting.averages else 0)


def checkpoint_bytes(task: AdversarialTask, averages: bool = True) -> int:
    """Bytes of one checkpoint: weights, buffers, moments, and the average of the generator's weights."""
    return state_bytes(task, Setting(1, 1, averages=averages))


def parameters(network: nn.Module) -> int:
    """Number of parameters of a network."""
    return sum(parameter.numel() for parameter in network.parameters())


def _bytes_of(tensors: Any) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)

"""Running statistics of a network: finds them, and estimates them on given inputs."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from lit_an.errors import InputError

_BUFFERS = ("running_mean", "running_var")
_NOT_SEEN = -1.0  # what no pass makes a variance


def statistics_keepers(network: nn.Module) -> list[nn.Module]:
    """The modules of a network that keep a running mean and variance: batch norms, region norms of the batch.

    A module counts by what it holds, floating-point buffers ``running_mean`` and ``running_var``, not by its class.

    Example:
        >>> network = nn.Sequential(nn.BatchNorm2d(2), nn.BatchNorm2d(2, track_running_stats=False), nn.Conv2d(2, 2, 1))
        >>> [type(module).__name__ for module in statistics_keepers(network)]
        ['BatchNorm2d']
    """
    return [module for module in network.modules() if all(_is_statistic(module, name) for name in _BUFFERS)]


def running_statistics(network: nn.Module) -> dict[str, Tensor]:
    """The running means and variances of a network by their names in its state dict; not copies.

    Example:
        >>> sorted(running_statistics(nn.Sequential(nn.BatchNorm2d(2))))
        ['0.running_mean', '0.running_var']
    """
    keepers = {id(module) for module in statistics_keepers(network)}
    return {
        f"{prefix}.{name}" if prefix else name: getattr(module, name)
        for prefix, module in network.named_modules()
        if id(module) in keepers
        for name in _BUFFERS
    }


@torch.no_grad()
def estimate_statistics(network: nn.Module, inputs: Iterable[tuple[Any, ...]]) -> None:
    """Replaces the running statistics of a network by the plain average over forward passes on the given inputs.

    Everything but the modules that keep statistics runs in evaluation mode, and the network is left in it. A region
    that a pass has no position of, as region norms may find, is averaged over the passes that have one; without any
    it keeps what was there.

    Args:
        network: changed in place; as before if a pass fails.
        inputs: arguments of each forward pass; not used if no module keeps statistics.

    Raises:
        InputError: a module that keeps statistics has no ``momentum``.

    Source: "standing statistics" of Brock et al., BigGAN, arXiv 1809.11096, appendix.
    """
    network.eval()
    keepers: list[Any] = statistics_keepers(network)
    if not keepers:
        return
    for keeper in keepers:
        if not hasattr(keeper, "momentum"):
            raise InputError(
                f"{type(keeper).__name__} keeps running statistics but has no momentum, so that they cannot be "
                "estimated anew; take statistics: running"
            )
    averages = [_Average(keeper) for keeper in keepers]
    try:
        for keeper in keepers:
            keeper.train()
            keeper.momentum = 1.0  # a pass replaces what was there
        for arguments in inputs:
            for average in averages:
                average.await_a_pass()
            network(*arguments)
            for average in averages:
                average.add_the_pass()
        for average in averages:
            average.settle()
    finally:
        for average in averages:
            average.restore()
        network.eval()


class _Average:
    """The plain average, element by element, over those passes that gave a module's statistics a value."""

    def __init__(self, keeper: Any) -> None:
        self.keeper, self.momentum = keeper, keeper.momentum
        self.statistics = [getattr(keeper, name) for name in _BUFFERS]
        self.results = [buffer.clone() for buffer in self.statistics]
        self.totals = [torch.zeros_like(buffer, dtype=_precise(buffer)) for buffer in self.statistics]
        self.passes = torch.zeros_like(self.totals[0])

    def await_a_pass(self) -> None:
        self.keeper.running_var.fill_(_NOT_SEEN)

    def add_the_pass(self) -> None:
        seen = self.keeper.running_var != _NOT_SEEN  # so that a variance of nan counts, and shows
        self.passes += seen
        for total, buffer in zip(self.totals, self.statistics, strict=True):
            total += torch.where(seen, buffer, 0)

    def settle(self) -> None:
        for result, total in zip(self.results, self.totals, strict=True):
            result.copy_(torch.where(self.passes > 0, total / self.passes.clamp_min(1), result))

    def restore(self) -> None:
        self.keeper.momentum = self.momentum
        for buffer, result in zip(self.statistics, self.results, strict=True):
            buffer.copy_(result)


@contextmanager
def estimated_statistics(network: nn.Module, inputs: Iterable[tuple[Any, ...]]) -> Iterator[None]:
    """Within the block the network has newly estimated statistics; afterwards it has its own again.

    Args:
        network: in evaluation mode afterwards.
        inputs: see ``estimate_statistics``.

    Raises:
        InputError: as ``estimate_statistics``.
    """
    buffers = [buffer for keeper in statistics_keepers(network) for buffer in keeper.buffers(recurse=False)]
    before = [buffer.clone() for buffer in buffers]
    try:
        estimate_statistics(network, inputs)
        yield
    finally:
        for buffer, value in zip(buffers, before, strict=True):
            buffer.copy_(value)


def _is_statistic(module: nn.Module, name: str) -> bool:
    buffer = module._buffers.get(name)
    return buffer is not None and buffer.is_floating_point()


def _precise(buffer: Tensor) -> torch.dtype:
    return torch.float32 if buffer.device.type == "mps" else torch.float64  # MPS has no float64

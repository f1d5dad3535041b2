"""Running statistics of a network: finds them, and estimates them on given inputs."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from lit_an.errors import InputError

_BUFFERS = ("running_mean", "running_var")


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

    Everything but the modules that keep statistics runs in evaluation mode, and the network is left in it.

    Args:
        network: changed in place.
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
    momenta = [keeper.momentum for keeper in keepers]
    try:
        for keeper in keepers:
            keeper.train()
        for count, arguments in enumerate(inputs, start=1):
            for keeper in keepers:
                keeper.momentum = 1 / count  # the first pass replaces what was there, the k-th weighs 1 / k
            network(*arguments)
    finally:
        for keeper, momentum in zip(keepers, momenta, strict=True):
            keeper.momentum = momentum
        network.eval()


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

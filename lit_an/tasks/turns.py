"""Blocks of code in which one network trains or all are evaluated; what processes exchange around them."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch.distributed as dist
from pytorch_lightning.strategies import DDPStrategy
from torch import nn


@contextmanager
def train_only(network: nn.Module, *networks: nn.Module) -> Iterator[None]:
    """Enables parameter gradients of one network only; the others still propagate gradients to their input."""
    others = [
        parameter
        for other in networks
        if other is not network
        for parameter in other.parameters()
        if parameter.requires_grad
    ]
    for parameter in others:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in others:
            parameter.requires_grad_(True)


@contextmanager
def evaluation_mode(module: nn.Module) -> Iterator[None]:
    """Evaluation mode inside the block; after it each part has the mode that it had."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, mode in modes:
            part.training = mode


def gradient_exchange(strategy: Any, is_last: bool) -> AbstractContextManager[None]:
    """Around a backward pass: processes exchange gradients only in the last part of an accumulated step."""
    return nullcontext() if is_last or not isinstance(strategy, DDPStrategy) else strategy.block_backward_sync()


def share_buffers(networks: Iterable[nn.Module]) -> None:
    """Gives all processes the buffers of the first, whose running statistics are those that checkpoints hold.

    Each process has followed the statistics of its own images since DDP shared them before the iteration.
    """
    if not (dist.is_available() and dist.is_initialized()):
        return
    for network in networks:
        for buffer in network.buffers():
            dist.broadcast(buffer, 0)

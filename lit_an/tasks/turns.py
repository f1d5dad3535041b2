"""Blocks of code in which one network trains, all are evaluated, or processes exchange no gradients."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

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

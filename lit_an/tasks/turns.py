"""Whose turn it is: one network learns while the other stands still."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def train_only(network: nn.Module, *networks: nn.Module) -> Iterator[None]:
    """Gradients for one network's parameters; the others pass gradients on without keeping any."""
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

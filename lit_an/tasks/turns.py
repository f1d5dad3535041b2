"""Trains one network while the others are frozen."""

from collections.abc import Iterator
from contextlib import contextmanager

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

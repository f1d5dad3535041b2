"""Parameters that start at 0 hide what depends on them; tests give them values."""

from typing import TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


@torch.no_grad()
def randomized(network: Network, seed: int = 0) -> Network:
    """The network, with parameters that are all equal (gains, shifts, biases, ρ) drawn anew; others as they are."""
    draw = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        if (parameter == parameter.flatten()[0]).all():
            parameter.add_(0.5 * torch.randn(parameter.shape, generator=draw, dtype=parameter.dtype))
    return network

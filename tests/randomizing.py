"""Parameters that start at 0 hide what depends on them; tests give them values."""

from typing import TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


def randomized(network: Network, seed: int = 1, deviation: float = 0.5) -> Network:
    """The network, with normal values in the parameters that are all 0 at the start.

    Those hide what stands behind them: a generator whose class gains are 0 is blind to the class, and a branch with a
    residual scale of 0 passes nothing on.
    """
    draws = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            if not parameter.any():
                parameter.copy_(deviation * torch.randn(parameter.shape, generator=draws))
    return network

"""What an optimizer keeps and needs beside the weights and their gradients, in copies of the weights."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.optim import Optimizer

_ADAM = 2  # moments


class OptimizerNeeds(NamedTuple):
    """Memory of an optimizer.

    Attributes:
        kept: copies of the weights that it keeps: 2 for Adam, which has two moments.
        is_fused: whether a step needs no memory of its own.
    """

    kept: float
    is_fused: bool


def optimizer_needs(make: Callable[[Any], Optimizer]) -> OptimizerNeeds:
    """What an optimizer needs, found by one step on a small matrix.

    Args:
        make: from parameters to the optimizer.

    Raises:
        InputError: the optimizer rejects a number with one.

    Example:
        >>> from functools import partial
        >>> optimizer_needs(torch.optim.Adam), optimizer_needs(partial(torch.optim.SGD, lr=0.1)).kept
        (OptimizerNeeds(kept=2.0, is_fused=False), 0.0)
    """
    probe = nn.Parameter(torch.zeros(2, 3))
    probe.grad = torch.zeros_like(probe)
    try:
        optimizer = make([probe])
        optimizer.step()
    except (RuntimeError, TypeError, ValueError):  # one that wants a closure; a run says what is wrong with a number
        return OptimizerNeeds(_ADAM, False)
    kept = sum(value.nbytes for value in optimizer.state[probe].values() if torch.is_tensor(value) and value.dim())
    return OptimizerNeeds(kept / probe.nbytes, bool(optimizer.param_groups[0].get("fused")))

"""Learning-rate schedules over iterations that PyTorch lacks."""

from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from lit_an.errors import InputError


class LinearDecay(LRScheduler):
    """The full learning rate up to iteration ``start``, then a linear decay to 0 at iteration ``end``.

    Args:
        optimizer: whose rates to set.
        start: last iteration at the full rate, ≥ 0.
        end: iteration from which the rate is 0, > ``start``.

    Raises:
        InputError: ``end`` is not after ``start``, or ``start`` is negative.

    Source: how SNGAN-projection ends its training (arXiv 1802.05637; ``iteration_decay_start`` in its configurations).

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        >>> schedule, rates = LinearDecay(optimizer, start=1, end=3), []
        >>> for iteration in range(4):
        ...     rates.append(optimizer.param_groups[0]["lr"])
        ...     optimizer.step()
        ...     schedule.step()
        >>> rates
        [1.0, 1.0, 0.5, 0.0]
    """

    def __init__(self, optimizer: Optimizer, start: int, end: int) -> None:
        if not 0 <= start < end:
            raise InputError(f"LinearDecay: end must be after start, and start at least 0, got {start} and {end}")
        self.start, self.end = start, end
        super().__init__(optimizer)

    def get_lr(self) -> list[Any]:
        left = (self.end - self.last_epoch) / (self.end - self.start)
        return [float(rate) * min(1.0, max(0.0, left)) for rate in self.base_lrs]

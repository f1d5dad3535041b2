"""Clips values to a range without losing the gradients that lead back into it."""

from typing import Any

import torch
from torch import Tensor


class _Clip(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, low: float, high: float) -> Tensor:
        return x.clamp(low, high)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, float, float], output: Tensor) -> None:
        x, ctx.low, ctx.high = inputs
        ctx.save_for_backward(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        # A descent moves x against its gradient: above the range a positive one leads back, below a negative one.
        leads_away = ((x > ctx.high) & (gradient < 0)) | ((x < ctx.low) & (gradient > 0))
        return gradient.masked_fill(leads_away, 0), None, None


def clip(x: Tensor, low: float = -1.0, high: float = 1.0) -> Tensor:
    """x clipped to a range; outside, gradients pass if a step against them leads toward the range.

    A plain clip has no gradient outside, so a pixel or a parameter that a bad step has thrown there stays, and a
    network that has thrown all its pixels there never learns again.

    Args:
        x: any shape.
        low, high: the range; that of images unless given.

    Returns:
        The same shape, in [low, high].

    Example:
        >>> x = torch.tensor([-2.0, 0.5, 2.0, 2.0], requires_grad=True)
        >>> (clip(x) * torch.tensor([1.0, 1.0, 1.0, -1.0])).sum().backward()
        >>> x.grad.tolist()
        [0.0, 1.0, 1.0, 0.0]
    """
    clipped: Tensor = _Clip.apply(x, low, high)
    return clipped

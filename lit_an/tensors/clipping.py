"""Clipping to a range that keeps the gradients leading back into it."""

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
    """Clips x to a range; outside it, only gradients whose descent step leads toward the range pass.

    A plain clip has no gradient outside the range, so a pixel or parameter that a bad step moves out of it stays there,
    and a network whose pixels are all outside stops learning.

    Args:
        x: any shape.
        low, high: the range; by default that of images.

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

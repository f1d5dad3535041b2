"""Clips an image to its range without losing the gradients that lead back into it."""

from typing import Any

import torch
from torch import Tensor


class _Clip(torch.autograd.Function):
    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return x.clamp(-1, 1)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        # A descent moves x against its gradient: above the range a positive one leads back, below a negative one.
        leads_away = ((x > 1) & (gradient < 0)) | ((x < -1) & (gradient > 0))
        return gradient.masked_fill(leads_away, 0)


def clip_to_image(x: Tensor) -> Tensor:
    """x clipped to [-1, 1]; outside, gradients pass if a step against them leads towards the range.

    A plain clip has no gradient outside, so a pixel that a bad step has thrown there stays until its neighbours
    bring it back, and a network that has thrown all of them there never learns again.

    Args:
        x: any shape.

    Returns:
        The same shape, in [-1, 1].

    Example:
        >>> x = torch.tensor([-2.0, 0.5, 2.0, 2.0], requires_grad=True)
        >>> (clip_to_image(x) * torch.tensor([1.0, 1.0, 1.0, -1.0])).sum().backward()
        >>> x.grad.tolist()
        [0.0, 1.0, 1.0, 0.0]
    """
    return _Clip.apply(x)

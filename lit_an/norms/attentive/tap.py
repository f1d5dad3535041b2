"""Features of a map at a few positions, cheap to differentiate."""

from typing import Any

import torch
from torch import Tensor

from lit_an.norms.attentive.following import is_followed


class _Tap(torch.autograd.Function):
    """A map, and its features at a few positions, whose gradient is added to the map's in place."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(index)
        return x.view_as(x), x.flatten(2).gather(2, index)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (for_x, for_features), (index,) = gradients, ctx.saved_tensors
        flat = for_x.flatten(2)
        # Plain indexing would make a map of zeros, fill in the few positions, and add the two maps.
        add = flat.scatter_add if torch.is_grad_enabled() else flat.scatter_add_
        return add(2, index, for_features).unflatten(2, for_x.shape[2:]), None


def tap(x: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
    """A map to go on with, and its features at some positions, cheap to differentiate.

    Args:
        x: (B, C, H, W).
        index: (B, …), int64, positions in 0 … H·W − 1.

    Returns:
        ``x`` itself and (B, C, …).
    """
    everywhere = index.flatten(1)[:, None].expand(-1, x.shape[1], -1)
    tapped, features = (x, x.flatten(2).gather(2, everywhere)) if is_followed() else _Tap.apply(x, everywhere)
    return tapped, features.unflatten(2, index.shape[1:])

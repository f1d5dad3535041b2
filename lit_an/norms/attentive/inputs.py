"""The tensors that attentive normalization is a function of."""

from typing import NamedTuple

from torch import Tensor


class Inputs(NamedTuple):
    """What the paths take, in the order of their gradients.

    Args:
        x: (B, C, H, W), a feature map.
        value_weight: (C, C), the value projection.
        filters: (B, N, C), the logits' filters of each image.
        constants: (B, N), added to the logits, or None.
        residual_scale: scalar ρ.
        weight, bias: (N, C), or (B, N, C) for each image, gain and shift of each region and channel, or None.
    """

    x: Tensor
    value_weight: Tensor
    filters: Tensor
    constants: Tensor | None
    residual_scale: Tensor
    weight: Tensor | None
    bias: Tensor | None


# Of x, value_weight, filters, constants, residual_scale, weight and bias; None where there is no such input.
Gradients = tuple[Tensor | None, ...]

"""Attentive normalization as one differentiable function, and which of three paths computes it.

- ``kernel_path``: a compiled kernel over panels of positions, where it can be had (``kernel_path.suits``): float32 and
  bfloat16 maps on a CPU, contiguous or channels-last.
- ``block_path``: PyTorch's products block by block; everything else.
- ``functional``: the plain composition, for a gradient that is to be differentiated again. It is the tests' oracle too.

Forward and backward are in closed form in the first two. All three give the same numbers.
"""

from types import ModuleType
from typing import Any

import torch
from torch import Tensor

import lit_an.norms.attentive.block_path as block_path
import lit_an.norms.attentive.functional as AN
import lit_an.norms.attentive.kernel_path as kernel_path


def attentive_normalize(
    x: Tensor,
    value_weight: Tensor,
    filters: Tensor,
    constants: Tensor | None,
    temperature: float,
    residual_scale: Tensor,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """``functional.attentive_normalize``, faster and in less memory; arguments and result as there."""
    inputs = (x, value_weight, filters.expand(len(x), -1, -1), constants, residual_scale, weight, bias)
    output: Tensor = _AttentiveNormalize.apply(*inputs, temperature, eps, torch.is_grad_enabled())
    return output


def path_of(x: Tensor, num_regions: int) -> ModuleType:
    """The module that computes a map: the choice is made here and, between it and the plain one, in ``backward``."""
    return kernel_path if kernel_path.suits(x, num_regions) else block_path


class _AttentiveNormalize(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> Tensor:
        *inputs, temperature, eps, training = arguments
        ctx.path, ctx.numbers = path_of(inputs[0], inputs[2].shape[1]), (temperature, eps)
        output, saved = ctx.path.forward(*inputs, temperature, eps, training)
        ctx.save_for_backward(*inputs, *saved)
        return output

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        tensors = ctx.saved_tensors  # read once: checkpointing hands them out once
        inputs, saved = tensors[:7], tensors[7:]
        if torch.is_grad_enabled():  # only the plain composition can be followed by autograd
            temperature, eps = ctx.numbers
            found = _differentiable_backward(inputs, temperature, eps, gradients[0])
        else:
            found = ctx.path.backward(*inputs, *ctx.numbers, saved, gradients[0])
        return *found, None, None, None


def _differentiable_backward(
    inputs: tuple[Any, ...], temperature: float, eps: float, gradient: Tensor
) -> tuple[Tensor | None, ...]:
    x, value_weight, filters, constants, residual_scale, weight, bias = inputs
    output = AN.attentive_normalize(x, value_weight, filters, constants, temperature, residual_scale, weight, bias, eps)
    wanted = [tensor for tensor in inputs if tensor is not None and tensor.requires_grad]
    found = iter(torch.autograd.grad(output, wanted, gradient, create_graph=True, allow_unused=True))
    return tuple(next(found) if tensor is not None and tensor.requires_grad else None for tensor in inputs)

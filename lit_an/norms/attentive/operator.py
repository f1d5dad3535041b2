"""Attentive normalization as a custom operator of PyTorch, which is opaque to compilers.

``torch.ops.lit_an.attentive_normalize`` has a fake implementation, which gives the shapes of the results, and a
backward pass, which is an operator too. Type, shape and order of memory of the map decide which path computes it, so
that the fake implementation knows the shapes of what is saved for the backward pass.
"""

from types import ModuleType
from typing import Any

import torch
from torch import Tensor

import lit_an.norms.attentive.block_path as block_path
import lit_an.norms.attentive.functional as AN
import lit_an.norms.attentive.kernel_path as kernel_path
import lit_an.norms.attentive.triton_path as triton_path
from lit_an.norms.attentive.inputs import Gradients, Inputs


def differentiable_backward(inputs: Inputs, numbers: tuple[float, float], gradient: Tensor) -> Gradients:
    """Gradients of the seven inputs by the plain composition, the only one that autograd can follow further.

    Args:
        inputs: of the operator.
        numbers: temperature and eps.
        gradient: (B, C, H, W), of the result.
    """
    temperature, eps = numbers
    x, value_weight, filters, constants, residual_scale, weight, bias = inputs
    output = AN.attentive_normalize(x, value_weight, filters, constants, temperature, residual_scale, weight, bias, eps)
    wanted = [tensor for tensor in inputs if tensor is not None and tensor.requires_grad]
    found = iter(torch.autograd.grad(output, wanted, gradient, create_graph=True, allow_unused=True))
    return tuple(next(found) if tensor is not None and tensor.requires_grad else None for tensor in inputs)


def _path_of(x: Tensor, num_regions: int) -> ModuleType:
    return next((path for path in (kernel_path, triton_path) if path.accepts(x, num_regions)), block_path)


@torch.library.custom_op("lit_an::attentive_normalize", mutates_args=())
def attentive_normalize(
    x: Tensor,
    value_weight: Tensor,
    filters: Tensor,
    constants: Tensor | None,
    residual_scale: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    temperature: float,
    eps: float,
    training: bool,
) -> list[Tensor]:
    """The result and, if ``training``, what the backward pass needs; arguments as those of the paths' ``forward``."""
    inputs = Inputs(x, value_weight, filters, constants, residual_scale, weight, bias)
    output, saved = _path_of(x, filters.shape[1]).forward(inputs, temperature, eps, training)
    return [output, *saved] if training else [output]


@attentive_normalize.register_fake
def _(x: Tensor, value_weight: Tensor, filters: Tensor, *arguments: Any) -> list[Tensor]:
    regions, training = filters.shape[1], arguments[-1]
    saved = _path_of(x, regions).saved_like(x, regions) if training else []
    return [torch.empty_like(x), *saved]


@torch.library.custom_op("lit_an::attentive_normalize_backward", mutates_args=())
def _backward(
    x: Tensor,
    value_weight: Tensor,
    filters: Tensor,
    constants: Tensor | None,
    residual_scale: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    temperature: float,
    eps: float,
    saved: list[Tensor],
    gradient: Tensor,
) -> list[Tensor]:
    """Gradients of the inputs that there are, in the type of each; all but that of ``x`` contiguous."""
    inputs = Inputs(x, value_weight, filters, constants, residual_scale, weight, bias)
    found = _path_of(x, filters.shape[1]).backward(inputs, temperature, eps, saved, gradient)
    given = [(one, tensor) for one, tensor in zip(found[1:], inputs[1:], strict=True) if tensor is not None]
    return [found[0], *(one.to(tensor.dtype).contiguous() for one, tensor in given)]


@_backward.register_fake
def _(x: Tensor, *arguments: Any) -> list[Tensor]:
    given = [tensor for tensor in arguments[:6] if tensor is not None]
    return [torch.empty_like(x), *(tensor.new_empty(tensor.shape) for tensor in given)]


def _save(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    *tensors, temperature, eps, _ = inputs
    ctx.numbers = (temperature, eps)
    ctx.save_for_backward(*tensors, *output[1:])


def _differentiate(ctx: Any, gradients: list[Tensor]) -> tuple[Any, ...]:
    tensors = ctx.saved_tensors
    inputs, saved = Inputs(*tensors[:7]), tensors[7:]
    if torch.is_grad_enabled():
        return *differentiable_backward(inputs, ctx.numbers, gradients[0]), None, None, None
    found = iter(_backward(*inputs, *ctx.numbers, list(saved), gradients[0]))
    return *(None if tensor is None else next(found) for tensor in inputs), None, None, None


attentive_normalize.register_autograd(_differentiate, setup_context=_save)

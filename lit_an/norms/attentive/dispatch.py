"""Attentive normalization as one differentiable function; the only place that chooses how it is computed.

Three paths have forward and backward in closed form:

- ``kernel_path``: a compiled kernel over panels of positions, where it is available (``kernel_path.suits``): float32
  and bfloat16 maps on a CPU, contiguous or channels-last.
- ``triton_path``: Triton's kernels on an NVIDIA GPU, where they work (``triton_path.suits``): float32, bfloat16 and
  float16 maps.
- ``block_path``: PyTorch's products block by block; everything else.

A fourth, ``functional``, is the composition of PyTorch's own operators, for a gradient that is to be differentiated
again and for an export, whose graph other runtimes run. It is the tests' oracle too. All give the same numbers.
"""

from types import ModuleType
from typing import Any, Literal

import torch
from torch import Tensor

import lit_an.norms.attentive.block_path as block_path
import lit_an.norms.attentive.functional as AN
import lit_an.norms.attentive.kernel_path as kernel_path
import lit_an.norms.attentive.triton_path as triton_path
from lit_an.norms.attentive.inputs import Inputs
from lit_an.norms.attentive.operator import attentive_normalize as operator
from lit_an.norms.attentive.operator import differentiable_backward

Form = Literal["function", "operator", "composition"]


def attentive_normalize(
    x: Tensor,
    value_weight: Tensor | None,
    filters: Tensor,
    constants: Tensor | None,
    temperature: float,
    residual_scale: Tensor,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """``functional.attentive_normalize``, faster and in less memory; arguments and result as there."""
    form = form_of_call()
    if form == "composition":
        scalars = (temperature, residual_scale, weight, bias, eps)
        return AN.attentive_normalize(x, value_weight, filters, constants, *scalars)
    if value_weight is None:
        # The fast paths project values and logits in one product; times 1 and plus 0 nothing is rounded.
        value_weight = torch.eye(x.shape[1], dtype=residual_scale.dtype, device=x.device)
    inputs = Inputs(x, value_weight, filters.expand(len(x), -1, -1), constants, residual_scale, weight, bias)
    if form == "operator":
        return operator(*inputs, temperature, eps, torch.is_grad_enabled())[0]
    output: Tensor = _AttentiveNormalize.apply(*inputs, temperature, eps, torch.is_grad_enabled())
    return output


def form_of_call() -> Form:
    """How to call a function that has its own backward pass, in the current context.

    Returns:
        ``function``: as a ``torch.autograd.Function``, which has the least overhead. ``operator``: under
        ``torch.compile``, which puts the operator into its graph as it is. ``composition``: under an export or a trace,
        whose graphs are to hold standard operators, and under transformations of ``torch.func``, which must see every
        operation.
    """
    # First, since a compiler may be at work on a transformation too.
    if torch.compiler.is_exporting() or torch.jit.is_tracing() or torch._C._are_functorch_transforms_active():
        return "composition"
    return "operator" if torch.compiler.is_compiling() else "function"


def path_of(x: Tensor, num_regions: int) -> ModuleType:
    """The module that computes a map eagerly."""
    return next((path for path in (kernel_path, triton_path) if path.suits(x, num_regions)), block_path)


class _AttentiveNormalize(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> Tensor:
        *tensors, temperature, eps, training = arguments
        inputs = Inputs(*tensors)
        ctx.path, ctx.numbers = path_of(inputs.x, inputs.filters.shape[1]), (temperature, eps)
        output, saved = ctx.path.forward(inputs, temperature, eps, training)
        ctx.save_for_backward(*inputs, *saved)
        return output

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        tensors = ctx.saved_tensors  # read once: checkpointing hands them out once
        inputs, saved = Inputs(*tensors[:7]), tensors[7:]
        if torch.is_grad_enabled():  # only the plain composition can be followed by autograd
            found = differentiable_backward(inputs, ctx.numbers, gradients[0])
        else:
            found = ctx.path.backward(inputs, *ctx.numbers, saved, gradients[0])
        return *found, None, None, None

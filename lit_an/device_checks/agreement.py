"""Compares what a device computes with float64 on the CPU: results, and gradients of inputs and parameters."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map
from torchmetrics import Metric

from lit_an.device_checks.cases import Case
from lit_an.device_checks.equal_draws import EqualDraws

_SEED = 0
# A device's limit is so many times the CPU's own error in the same type, since another order of sums is no worse than
# the CPU's; and at least this, where the CPU happens to be exact: of results, and of gradients.
_TIMES = {torch.float32: 20, torch.bfloat16: 3, torch.float16: 3}
_AT_LEAST = {torch.float32: (1e-4, 1e-4), torch.bfloat16: (0.05, 0.2), torch.float16: (0.02, 0.1)}


@dataclass(frozen=True)
class Agreement:
    """How far a device is from float64 on the CPU.

    Args:
        forward, backward: ‖difference‖ ÷ ‖reference‖ over all results, and over all gradients; NaN without any.
        forward_limit, backward_limit: what passes.
    """

    forward: float
    backward: float
    forward_limit: float
    backward_limit: float

    def holds(self) -> bool:
        """Whether both are within their limits; a number that is not finite is not."""
        return self.forward <= self.forward_limit and (self.backward != self.backward or self.is_close_backward())

    def is_close_backward(self) -> bool:
        """Whether the gradients are within their limit."""
        return self.backward <= self.backward_limit


@dataclass(frozen=True)
class _Computed:
    results: list[Tensor]
    gradients: list[Tensor]


def agreement(case: Case, device: torch.device, half: torch.dtype | None = None) -> Agreement:
    """Compares one case.

    Args:
        case: what to compute.
        device: where, in float32.
        half: the type of an autocast there, or None for float32 alone, whose products are not rounded to TF32.
    """
    torch.manual_seed(_SEED)
    module, inputs = case.build(), case.inputs()
    if isinstance(module, nn.Module):
        _give_values(module)
    cpu = torch.device("cpu")
    reference = _compute(case, module, inputs, cpu, case.reference)
    own = _compute(case, module, inputs, cpu, torch.float32, half)
    found = _compute(case, module, inputs, device, torch.float32, half)
    kind = half or torch.float32
    errors = _error(own.results, reference.results), _error(own.gradients, reference.gradients)
    limits = [max(least, _TIMES[kind] * error) for least, error in zip(_AT_LEAST[kind], errors, strict=True)]
    return Agreement(_error(found.results, reference.results), _error(found.gradients, reference.gradients), *limits)


def _compute(
    case: Case,
    module: Any,
    inputs: tuple[Any, ...],
    device: torch.device,
    dtype: torch.dtype,
    half: torch.dtype | None = None,
) -> _Computed:
    """Results and gradients as float64 on the CPU."""
    own = copy.deepcopy(module)
    if isinstance(own, nn.Module):
        own = own.to(device)
        own = own if isinstance(own, Metric) else own.to(dtype)
    # In an autocast, features come in half precision from the convolution before a norm.
    moving = half if half and case.of_features else dtype
    moved = tree_map(lambda value: _moved(value, device, moving, case.kind != "metrics"), inputs)
    autocast = torch.autocast(device.type, half) if half is not None else nullcontext()
    torch.manual_seed(_SEED)
    with exact_products(), EqualDraws(), autocast:
        if isinstance(own, Metric):
            own.update(*moved)
            output: Any = own.compute()
        else:
            output = own(*moved)
    results = [_as_tensor(leaf, device) for leaf in tree_leaves(output) if isinstance(leaf, (Tensor, float, int))]
    loss = [(result.double() * _weights(result)).sum() for result in results if result.requires_grad]
    wanted = [leaf for leaf in tree_leaves(moved) if isinstance(leaf, Tensor) and leaf.requires_grad]
    if isinstance(own, nn.Module):
        wanted += [parameter for parameter in own.parameters() if parameter.requires_grad]
    gradients: list[Tensor] = []
    if loss and wanted:
        with exact_products(), EqualDraws():
            found = torch.autograd.grad(torch.stack(loss).sum(), wanted, allow_unused=True)
        gradients = [gradient for gradient in found if gradient is not None]
    return _Computed(*([tensor.detach().double().cpu() for tensor in kind] for kind in (results, gradients)))


@contextmanager
def exact_products() -> Iterator[None]:
    """Within it a GPU multiplies float32 in full, convolutions too, whatever was set before."""
    matmul, cudnn = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = matmul, cudnn


def _give_values(module: nn.Module) -> None:
    """What starts at 0 hides what stands behind it, such as a branch with a scale of 0."""
    with torch.no_grad():
        for parameter in module.parameters():
            if not parameter.any():
                parameter.copy_(0.5 * torch.randn(parameter.shape))


def _moved(value: Any, device: torch.device, dtype: torch.dtype, differentiate: bool) -> Any:
    if not isinstance(value, Tensor):
        return value
    if not value.is_floating_point():
        return value.to(device)
    return value.detach().to(device, dtype).requires_grad_(differentiate)


def _as_tensor(value: Any, device: torch.device) -> Tensor:
    return value if isinstance(value, Tensor) else torch.tensor(float(value), device=device)


def _weights(result: Tensor) -> Tensor:
    """Of the sum that gradients are taken of: all different, the same on every device."""
    weights = torch.arange(result.numel(), dtype=torch.float64).mul(0.7).cos()
    return weights.view(result.shape).to(result.device)


def _error(found: list[Tensor], reference: list[Tensor]) -> float:
    if not reference:
        return float("nan")
    differences = sum(float((a - b).square().sum()) for a, b in zip(found, reference, strict=True))
    return float((differences / max(sum(float(b.square().sum()) for b in reference), 1e-300)) ** 0.5)

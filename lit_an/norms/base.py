"""What a norm is: a module from (B, C, H, W) to the same shape, with an optional condition."""

import math
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import ClassVar, Literal, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lit_an.errors import InputError
from lit_an.tensors.holes import is_hole

# What a norm depends on beside the features: nothing, a vector for each image, or the mask of its hole.
ConditionKind = Literal["none", "vector", "mask"]


class Norm2d(nn.Module):
    """Base class of norms: checks the channels, then normalizes.

    A subclass implements ``normalize``. A norm of another package need not inherit: any module with
    ``forward(x, condition=None) -> x`` of the same shape is a norm.

    Args:
        num_features: C, channels of the input, ≥ 1.
        eps: > 0 and finite, added to the variance by the norms that have it.
        momentum: share of the newest batch in the running statistics, 0 to 1, of the norms that have it.

    Raises:
        InputError: an argument out of range.

    Attributes:
        condition_kind: the condition that the norm requires: ``none``, ``vector`` (B, D) or ``mask``
            (B, 1, H', W'), float32, 1 = hole, of any resolution. A network reads it before it creates the norm.
        condition_arguments: arguments that, if they are true, make the norm require a condition, and which.
        is_residual: whether the result is the input plus a term that starts at ``residual_start``, 0 if nothing else is
            said. A network wraps any other norm in ``ResidualNorm2d`` where it needs one.
        standardizes_convolutions: whether the convolutions around the norm are to have standardized weights. A norm
            cannot reach them; a network reads this when it makes its layers.
        paper: number of the paper on arXiv, such as ``2004.03828``, or empty.
    """

    condition_kind: ClassVar[ConditionKind] = "none"
    condition_arguments: ClassVar[Mapping[str, ConditionKind]] = {}
    is_residual: ClassVar[bool] = False
    standardizes_convolutions: ClassVar[bool] = False
    paper: ClassVar[str] = ""

    def __init__(self, num_features: int, *, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__()
        name = type(self).__name__
        if num_features < 1:
            raise InputError(f"{name}: num_features must be at least 1, got {num_features}")
        if not 0 < eps < float("inf"):
            raise InputError(f"{name}: eps must be greater than 0 and finite, got {eps}")
        if not 0 <= momentum <= 1:
            raise InputError(f"{name}: momentum must be between 0 and 1, got {momentum}")
        self.num_features = num_features

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Normalizes a feature map.

        Args:
            x: (B, C, H, W), features.
            condition: required by norms whose ``condition_kind`` is not ``none``: (B, D), or a mask (B, 1, H', W').
                Other norms ignore it.

        Returns:
            (B, C, H, W).

        Raises:
            InputError: ``x`` does not have four dimensions and ``num_features`` channels, or is not of a floating-point
                type.
        """
        if x.dim() != 4 or x.shape[1] != self.num_features:
            raise InputError(
                f"{type(self).__name__}(num_features={self.num_features}) takes (B, {self.num_features}, H, W), "
                f"got {tuple(x.shape)}"
            )
        if not x.is_floating_point():
            raise InputError(f"{type(self).__name__} takes floating-point features, got {x.dtype}; convert them first")
        return self.normalize(x, condition)

    def normalize(self, x: Tensor, condition: Tensor | None) -> Tensor:
        """Normalizes; arguments and result as in ``forward``, which has checked them."""
        raise NotImplementedError


def pointwise(in_features: int, out_features: int, bias: bool = True) -> nn.Conv2d:
    """A 1×1 convolution with TensorFlow's initialization, as published: Glorot's uniform weights, a bias of 0."""
    convolution = nn.Conv2d(in_features, out_features, 1, bias=bias)
    nn.init.xavier_uniform_(convolution.weight)
    if convolution.bias is not None:
        nn.init.zeros_(convolution.bias)
    return convolution


def residual_scale(start: object) -> nn.Parameter:
    """ρ of a norm that adds to its input, a learned scalar.

    Args:
        start: its value before training; 0 makes the norm the identity there.

    Raises:
        InputError: no finite number.
    """
    if not isinstance(start, (int, float)) or isinstance(start, bool) or not math.isfinite(start):
        raise InputError(f"residual_start must be a finite number, 0 for the identity at the start, got {start!r}")
    return nn.Parameter(torch.tensor(float(start)))


def mask_for(norm: str, x: Tensor, condition: Tensor | None) -> Tensor:
    """The mask that a norm is given, at the size of its features.

    Args:
        norm: its registered name, for the sentence.
        x: (B, C, H, W), features.
        condition: (B, 1, H', W'), of any type, above 0.5 = hole.

    Returns:
        (B, 1, H, W), of the type of ``x``, 1 = hole, 0 = known, resized by nearest neighbor.

    Raises:
        InputError: another shape, or none.
    """
    if condition is None or condition.dim() != 4 or condition.shape[:2] != (x.shape[0], 1):
        given = "none" if condition is None else tuple(condition.shape)
        raise InputError(f"norm {norm!r} needs a mask of shape ({x.shape[0]}, 1, H, W), got {given}")
    hole = is_hole(condition).to(x.dtype)
    return hole if hole.shape[2:] == x.shape[2:] else F.interpolate(hole, x.shape[2:], mode="nearest")


def is_hooked(module: nn.Module) -> bool:
    """Whether a hook is registered on the module, or on all modules."""
    hooks = (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks)
    return any(hooks) or torch.nn.modules.module._has_any_global_hook()


def without_compiler() -> AbstractContextManager[object]:
    """Inside, networks that ``torch.compile`` has wrapped run as they were written, which calls hooks that are new."""
    # Whoever has compiled something has imported it, which takes seconds.
    return torch.compiler.set_stance("force_eager") if "torch._dynamo" in sys.modules else nullcontext()


def is_called_as(module: nn.Module, kind: type[nn.Module]) -> bool:
    """Whether a call computes what the class does: neither the module nor its ``forward`` is hooked or replaced."""
    return type(module).forward is kind.forward and "forward" not in vars(module) and not is_hooked(module)


def is_pointwise(convolution: nn.Module) -> bool:
    """Whether a call multiplies each position by the weight and adds the bias: so that the two say what it computes.

    Spectral norm and weight norm of ``torch.nn.utils`` and pruning set the weight in a hook; parametrizations do not.
    """
    return is_called_as(convolution, nn.Conv2d) and all(
        getattr(convolution, name) == usual
        for name, usual in (("kernel_size", (1, 1)), ("stride", (1, 1)), ("padding", (0, 0)), ("groups", 1))
    )


@runtime_checkable
class Penalized(Protocol):
    """A module with a penalty for the loss that depends on its weights alone; it needs no forward pass."""

    def penalty(self) -> Tensor:
        """Scalar; smaller is better."""
        ...


def total_penalty(network: nn.Module) -> Tensor | None:
    """Sum of the penalties of the modules of a network, or None if no module has one."""
    # The class is asked: a wrapper such as torch.compile's passes attributes on, and what it wraps is a module too.
    penalties = [module.penalty() for module in network.modules() if hasattr(type(module), "penalty")]  # type: ignore[operator]
    return sum(penalties[1:], penalties[0]) if penalties else None

"""What a norm is: a module from (B, C, H, W) to the same shape, with an optional condition."""

from typing import ClassVar, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from lit_an.errors import InputError

# What a norm depends on beside the features: nothing, a vector for each image, or the mask of its hole.
ConditionKind = Literal["none", "vector", "mask"]


class Norm2d(nn.Module):
    """Base of the norms here: checks the channels, then normalizes.

    A subclass implements ``normalize``. A norm from elsewhere need not inherit: any module with
    ``forward(x, condition=None) -> x`` of the same shape will do.

    Args:
        num_features: C, channels of the input, ≥ 1.
        eps, momentum: checked here for the norms that have them: > 0 and finite, and 0 to 1.

    Raises:
        InputError: an argument out of range.

    Attributes:
        condition_kind: the condition without which the norm cannot work: ``none``, ``vector`` (B, D) or ``mask``
            (B, 1, H', W'), float32, 1 = hole, of any resolution. A network reads it before it makes the norm.
        is_residual: whether the result is the input plus something that starts at 0; a network puts any other norm
            into a ``ResidualNorm2d`` where it wants one.
    """

    condition_kind: ClassVar[ConditionKind] = "none"
    is_residual: ClassVar[bool] = False

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
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
            condition: what a norm whose ``condition_kind`` is not ``none`` depends on: (B, D), or a mask
                (B, 1, H', W'); the others ignore it.

        Returns:
            (B, C, H, W).

        Raises:
            InputError: not four dimensions, another number of channels than ``num_features``, or no floating-point
                numbers.
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
        """The norm itself; shapes as in ``forward``, already checked."""
        raise NotImplementedError


def pointwise(in_features: int, out_features: int, bias: bool = True) -> nn.Conv2d:
    """A 1×1 convolution as TensorFlow's layers start it, and so the published ones: Glorot's uniform, no bias yet."""
    convolution = nn.Conv2d(in_features, out_features, 1, bias=bias)
    nn.init.xavier_uniform_(convolution.weight)
    if convolution.bias is not None:
        nn.init.zeros_(convolution.bias)
    return convolution


def is_hooked(module: nn.Module) -> bool:
    """Whether somebody waits for a call of the module, or of any."""
    hooks = (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks)
    return any(hooks) or torch.nn.modules.module._has_any_global_hook()


def is_plain(convolution: nn.Module) -> bool:
    """Whether reading a convolution's parameters does what calling it does: nobody hooked, wrapped or replaced it.

    Spectral norm and weight norm of ``torch.nn.utils`` and pruning set the weight in a hook; parametrizations do not.
    """
    return type(convolution).forward is nn.Conv2d.forward and not is_hooked(convolution)


@runtime_checkable
class Penalized(Protocol):
    """A module whose weights ask for a penalty in the loss; no forward pass needed."""

    def penalty(self) -> Tensor:
        """Scalar; smaller is better."""
        ...


def total_penalty(network: nn.Module) -> Tensor | None:
    """Sum of the penalties that the modules of a network ask for, or None if none does."""
    # The class is asked: a wrapper such as torch.compile's passes attributes on, and what it wraps is a module too.
    penalties = [module.penalty() for module in network.modules() if hasattr(type(module), "penalty")]  # type: ignore[operator]
    return sum(penalties[1:], penalties[0]) if penalties else None

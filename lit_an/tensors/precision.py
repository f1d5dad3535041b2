"""Computation in float32 or better, regardless of autocast; how exact float32 is."""

from contextlib import AbstractContextManager
from typing import Literal

import torch
from torch import Tensor

Float32Precision = Literal["highest", "high", "medium"]


def at_least_float32(x: Tensor) -> Tensor:
    """Converts half precision to float32 and returns other types unchanged.

    Example:
        >>> at_least_float32(torch.zeros(1).bfloat16()).dtype, at_least_float32(torch.zeros(1).double()).dtype
        (torch.float32, torch.float64)
    """
    return x.to(torch.promote_types(x.dtype, torch.float32))


def without_autocast(x: Tensor) -> AbstractContextManager[object]:
    """Disables autocast on the device of ``x``.

    Devices without autocast, such as ``meta``, follow that of the CPU (``lit_an.training_costs``).

    Example:
        >>> with torch.autocast("cpu", torch.bfloat16), without_autocast(torch.zeros(1)):
        ...     (torch.eye(2) @ torch.eye(2)).dtype
        torch.float32
    """
    device = x.device.type if torch.amp.is_autocast_available(x.device.type) else "cpu"
    return torch.autocast(device, enabled=False)


def in_type_of(x: Tensor, weight: Tensor) -> Tensor:
    """Converts ``x`` to the type of a weight that it meets; under autocast, which converts both, it stays as it is.

    Example:
        >>> in_type_of(torch.zeros(1).double(), torch.zeros(1)).dtype
        torch.float32
    """
    device = x.device.type if torch.amp.is_autocast_available(x.device.type) else "cpu"
    return x if torch.is_autocast_enabled(device) else x.to(weight.dtype)


def set_float32_precision(precision: Float32Precision) -> None:
    """Sets how exact products and convolutions of float32 tensors are, in the whole process.

    Args:
        precision: ``highest`` rounds as float32 does. ``high`` rounds the factors to TF32 (10 bits of mantissa) and
            ``medium`` to bfloat16 (7 bits), where the device has these; convolutions of NVIDIA GPUs have TF32 only.
            Sums stay in float32.

    Source: PyTorch's notes on CUDA semantics, "TensorFloat-32 (TF32) on Ampere (and later) devices".
    """
    torch.set_float32_matmul_precision(precision)
    torch.backends.cudnn.allow_tf32 = precision != "highest"

"""Random numbers that are the same on every device: drawn on the CPU in float32, then moved."""

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

_CPU = torch.device("cpu")


class EqualDraws(TorchDispatchMode):
    """Within it every random operation draws on the CPU, whatever the device and type of its result.

    So a layer that draws can be compared between devices and types: the same seed gives the same numbers.

    Example:
        >>> draws = []
        >>> for dtype in (torch.float32, torch.float64):
        ...     _ = torch.manual_seed(0)
        ...     with EqualDraws():
        ...         draws.append(torch.rand(3, dtype=dtype).float())
        >>> torch.equal(*draws)
        True
    """

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if torch.Tag.nondeterministic_seeded not in func.tags:
            return func(*args, **kwargs)
        changed = _first_tensor(args) if func._schema.is_mutable else None
        device, dtype = kwargs.get("device"), kwargs.get("dtype")
        on_cpu = {name: value for name, value in kwargs.items() if name not in ("generator", "pin_memory")}
        result = func(*tree_map(_drawable, args), **tree_map(_drawable, on_cpu))
        if changed is not None:
            return changed.copy_(result)
        like = _first_tensor(args)
        if like is not None:
            device = like.device if device is None else device
            dtype = like.dtype if dtype is None else dtype
        return tree_map(lambda value: _as_asked(value, device, dtype), result)


def _drawable(value: Any) -> Any:
    """An argument as the draw on the CPU takes it."""
    if isinstance(value, Tensor):
        return value.to(_CPU, torch.float32 if value.is_floating_point() else value.dtype)
    if isinstance(value, torch.device):
        return _CPU
    return torch.float32 if isinstance(value, torch.dtype) and value.is_floating_point else value


def _first_tensor(args: Any) -> Tensor | None:
    return next((value for value in args if isinstance(value, Tensor)), None)


def _as_asked(value: Any, device: torch.device | None, dtype: torch.dtype | None) -> Any:
    if not isinstance(value, Tensor):
        return value
    if value.is_floating_point():
        return value.to(device or value.device, dtype or torch.get_default_dtype())
    return value.to(device or value.device)

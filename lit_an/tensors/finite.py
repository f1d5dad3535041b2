"""Finds tensors that hold NaN or infinity; if there is none, with one wait for the device however many there are."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


@torch.no_grad()
def first_non_finite(tensors: Mapping[str, Any]) -> str | None:
    """The name of the first tensor that holds a value which is not a finite number; None if there is none.

    Args:
        tensors: by name; integers and what is no tensor are finite.

    Example:
        >>> first_non_finite({"weight": torch.zeros(3), "bias": torch.tensor([0.0, float("nan")])})
        'bias'
    """
    groups: dict[tuple[torch.device, torch.dtype], dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if isinstance(tensor, Tensor) and tensor.numel() and (tensor.is_floating_point() or tensor.is_complex()):
            tensor = torch.view_as_real(tensor) if tensor.is_complex() else tensor
            groups.setdefault((tensor.device, tensor.dtype), {})[name] = tensor
    suspects: set[str] = set()
    for group in groups.values():
        # A sum is the fastest pass over memory, and not finite if a value is not; that of large values can overflow.
        sums = torch.stack([tensor.sum() for tensor in group.values()]).isfinite().tolist()
        suspects |= {name for name, is_finite in zip(group, sums, strict=True) if not is_finite}
    return next((name for name in tensors if name in suspects and not bool(tensors[name].isfinite().all())), None)


def tensors_of_checkpoint(checkpoint: Mapping[str, Any], average: Mapping[str, Tensor]) -> dict[str, Any]:
    """The weights, the average and the optimizers' states of a checkpoint, by names for sentences.

    Args:
        checkpoint: as ``torch.load`` gives it.
        average: its averaged state of the generator, empty without one.
    """
    found = dict(checkpoint["state_dict"])
    found |= {f"the average of generator.{name}": tensor for name, tensor in average.items()}
    sides = ("generator", "discriminator")
    for side, stored in zip(sides, checkpoint.get("optimizer_states", ()), strict=False):
        for number, state in stored["state"].items():
            found |= {f"{name} of parameter {number} of the {side}'s optimizer": x for name, x in state.items()}
    return found

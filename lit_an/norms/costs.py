"""What a norm costs beside a 3×3 convolution of the same map, measured now."""

import time
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lit_an.norms.listing import create_listed
from lit_an.norms.registry import condition_kind

_CLASSES = 10  # width of a condition vector
_FEWEST = 3  # measurements of each pass
_SLOW = 1.0  # seconds; what takes longer is measured once


@dataclass(frozen=True)
class Shape:
    """The map that is measured: (batch, channels, side, side), float32.

    Args:
        channels: C.
        side: H and W.
        batch: B.
    """

    channels: int
    side: int
    batch: int


@dataclass(frozen=True)
class Cost:
    """Times of the two passes in training, in seconds.

    Args:
        forward: of the forward pass.
        backward: of the backward pass, to the input and all parameters.
    """

    forward: float
    backward: float


def cost_of_norm(name: str, shape: Shape, seconds: float) -> Cost:
    """The cost of a registered norm with its default arguments.

    Args:
        name: of the norm.
        shape: of the map.
        seconds: to measure for; each pass is measured three times at least, or once if it takes more than a second.

    Raises:
        Exception: what the norm raises at this shape; norms of other packages may raise anything.
    """
    norm = create_listed(name, shape.channels, _CLASSES)
    kind = condition_kind(name)
    condition = None
    if kind == "vector":
        condition = torch.eye(_CLASSES)[torch.arange(shape.batch) % _CLASSES]
    elif kind == "mask":
        condition = torch.zeros(shape.batch, 1, shape.side, shape.side)
        condition[..., : shape.side // 2, :] = 1
    return _measured(norm, shape, seconds, () if condition is None else (condition,))


def cost_of_convolution(shape: Shape, seconds: float) -> Cost:
    """The cost of the convolution that norms are measured beside; arguments as of ``cost_of_norm``."""
    return _measured(nn.Conv2d(shape.channels, shape.channels, 3, padding=1), shape, seconds, ())


def _measured(layer: nn.Module, shape: Shape, seconds: float, others: tuple[Tensor, ...]) -> Cost:
    """The shortest time of each pass: what other programs take from the machine only makes it longer."""
    x = torch.randn(shape.batch, shape.channels, shape.side, shape.side, requires_grad=True)
    wanted = [x, *layer.parameters()]
    gradient = torch.randn_like(x)
    found: list[Cost] = []
    end = float("inf")
    while len(found) < _FEWEST + 1 or time.perf_counter() < end:
        start = time.perf_counter()
        y = layer(x, *others)
        between = time.perf_counter()
        torch.autograd.grad(y, wanted, gradient, allow_unused=True)
        found.append(Cost(between - start, time.perf_counter() - between))
        if len(found) == 1:  # the first pass gets memory and may compile
            end = time.perf_counter() + seconds
        elif found[-1].forward + found[-1].backward > _SLOW:
            break
    found = found[1:]
    return Cost(min(cost.forward for cost in found), min(cost.backward for cost in found))

"""The part that measures AN beside the layers that it stands between or competes with."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import nn

from lit_an.device_checks.clocks import Measured, measured
from lit_an.device_checks.layer_forms import gigabytes_needed, make
from lit_an.device_checks.rows import Row, Setting, error_in_words

_SECONDS = 0.3  # of each layer and pass
_SHARE = 0.6  # of the device's memory that a layer may need
_CONVOLUTION = "3×3 convolution"
_LAYERS = {
    _CONVOLUTION: _CONVOLUTION,
    "instance norm": "instance",
    "AN": "attentive",
    "AN, by blocks": "attentive, by blocks",
    "AN, published form": "published form",
    "self-attention": "self_attention",
}


class _Shape(NamedTuple):
    batch: int
    channels: int
    side: int
    dtype: torch.dtype
    channels_last: bool

    def title(self) -> str:
        order = "channels last" if self.channels_last else "contiguous"
        return f"{self.batch}×{self.channels}×{self.side}², {str(self.dtype).removeprefix('torch.')}, {order}"


# The paper's table, then the maps of the recipes at 128 and 256 px.
_SHAPES = [
    *(_Shape(1, 32, side, torch.float32, False) for side in (128, 256, 512, 1024)),
    _Shape(32, 256, 32, torch.bfloat16, True),
    _Shape(32, 192, 64, torch.bfloat16, True),
    _Shape(16, 128, 64, torch.bfloat16, True),
    _Shape(16, 128, 64, torch.float32, True),
]
_TINY = [_Shape(1, 8, 16, torch.float32, False), _Shape(2, 8, 16, torch.bfloat16, True)]


def layers(setting: Setting) -> Iterator[Row]:
    """Milliseconds forward and of a step, and ratios to a 3×3 convolution of the same map."""
    device = setting.torch_device
    for shape in _TINY if setting.dry_run else _SHAPES:
        convolution: Measured | None = None
        for title, name in _LAYERS.items():
            row, step = _measured(title, name, shape, device, 0.0 if setting.dry_run else _SECONDS, convolution)
            convolution = step if name == _CONVOLUTION else convolution
            yield row


def _measured(
    title: str, name: str, shape: _Shape, device: torch.device, seconds: float, convolution: Measured | None
) -> tuple[Row, Measured | None]:
    subject = f"{shape.title()}: {title}"
    needed = gigabytes_needed(name, shape.batch, shape.channels, shape.side)
    if device.type == "cuda" and needed * 1e9 > _SHARE * torch.cuda.mem_get_info(device)[1]:
        return Row(subject, "not run", note=f"needs more than {needed:.0f} GB"), None
    try:
        forward, step = _passes(make(name, shape.channels), shape, device, seconds)
    except torch.OutOfMemoryError:
        return Row(subject, "not run", note="out of memory"), None
    except Exception as error:  # the other layers are measured
        return Row(subject, "failed", note=error_in_words(error)), None
    finally:
        if device.type == "cuda":
            torch.cuda.empty_cache()
    figures: dict[str, float | str] = {"forward, ms": 1000 * forward.seconds, "step, ms": 1000 * step.seconds}
    if convolution is not None:
        figures["step ÷ convolution"] = step.seconds / convolution.seconds
    if step.peak == step.peak:
        elements = shape.batch * shape.channels * shape.side**2 * shape.dtype.itemsize
        figures["peak ÷ input"] = step.peak / elements
    return Row(subject, "measured", figures), step


def _passes(layer: nn.Module, shape: _Shape, device: torch.device, seconds: float) -> tuple[Measured, Measured]:
    """Forward in evaluation, and a step in training with gradients of input and parameters, under autocast if half."""
    torch.manual_seed(0)
    layer = layer.to(device)
    layout = torch.channels_last if shape.channels_last else torch.contiguous_format
    size = (shape.batch, shape.channels, shape.side, shape.side)
    x = torch.randn(size, device=device, dtype=shape.dtype).contiguous(memory_format=layout).requires_grad_()
    wanted = [x, *layer.parameters()]
    upstream = torch.randn_like(x)
    condition = () if isinstance(layer, nn.Conv2d) else (None,)
    autocast = torch.autocast(device.type, shape.dtype, enabled=shape.dtype != torch.float32)

    def forward() -> None:
        with torch.no_grad(), autocast:
            layer(x, *condition)

    def step() -> None:
        with autocast:
            y = layer(x, *condition)
        torch.autograd.grad(y, wanted, upstream.to(y.dtype), allow_unused=True)

    layer.eval()
    of_forward = measured(forward, device, seconds)
    layer.train()
    return of_forward, measured(step, device, seconds)

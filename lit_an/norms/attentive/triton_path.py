"""Attentive normalization by Triton's kernels on NVIDIA GPUs: where they run, and what happens where they do not.

Triton comes with PyTorch's CUDA builds for Linux. It is imported when the first map on a GPU comes. The first map of a
type on a device lets a small map go through the kernels and through ``block_path.py`` in float64. Where a kernel
cannot be imported, compiled or run, or where numbers differ, one line of the log says so, and the path of blocks takes
over; that it does too where a later map fails. ``LIT_AN_KERNEL=0`` in the environment switches the kernels off.

What is saved for the backward pass is what ``block_path.py`` saves, so that either may follow the other.
"""

import importlib
import logging
import os
import threading
from collections.abc import Sequence
from types import ModuleType

import torch
from torch import Tensor

import lit_an.norms.attentive.block_path as block_path
import lit_an.norms.attentive.triton_launches as launches
from lit_an.norms.attentive.inputs import Gradients, Inputs
from lit_an.tensors.precision import without_autocast

saved_like = block_path.saved_like

_LOG = logging.getLogger(__name__)
_MOST_REGIONS = 64
_MOST_CHANNELS = 1024
_SMALLEST_CAPABILITY = (8, 0)  # older devices have no TF32
# Largest ‖difference‖ / ‖expected‖ of the small map: a few roundings of its type.
_TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 2e-2, torch.float16: 5e-3}

_Key = tuple[torch.device, torch.dtype]


class _State:
    """What this process has found out: whether the kernels work, by device and type."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.works: dict[_Key, bool] = {}


_STATE = _State()


class _UnavailableError(Exception):
    """The kernels do not work here; the message says why."""


def suits(x: Tensor, num_regions: int) -> bool:
    """Whether the kernels can normalize a map in so many regions; the first time, tries them out."""
    # A mode that counts or records operations would see none.
    return torch._C._len_torch_dispatch_stack() == 0 and accepts(x, num_regions)


def accepts(x: Tensor, num_regions: int) -> bool:
    """As ``suits``, under any mode; False for fake tensors, which need no path of their own: see ``saved_like``."""
    return (
        x.device.type == "cuda"
        and type(x) in (Tensor, torch.nn.Parameter)
        and x.dtype in _TOLERANCE
        and _fits(x, num_regions)
        and _works(x)
    )


def forward(inputs: Inputs, temperature: float, eps: float, training: bool) -> tuple[Tensor, list[Tensor]]:
    """The result, and the tensors that ``backward`` needs beside the inputs."""
    x = inputs.x
    if _STATE.works.get(_key(x), True):
        try:
            with without_autocast(x), torch.cuda.device_of(x):
                return launches.normalize(_launch, inputs, temperature, eps)
        except Exception as error:
            _switch_off(x, error)
    return block_path.forward(inputs, temperature, eps, training)


def backward(inputs: Inputs, temperature: float, eps: float, saved: Sequence[Tensor], gradient: Tensor) -> Gradients:
    """Gradients of the inputs."""
    x = inputs.x
    if _STATE.works.get(_key(x), True):
        try:
            with without_autocast(x), torch.cuda.device_of(x):
                return launches.differentiate(_launch, inputs, temperature, saved, gradient)
        except Exception as error:
            _switch_off(x, error)
    return block_path.backward(inputs, temperature, eps, saved, gradient)


def _fits(x: Tensor, num_regions: int) -> bool:
    channels, length = x.shape[1], x.shape[2] * x.shape[3]
    addressed = (channels + num_regions) * length < launches.LARGEST_REACH
    return x.numel() > 0 and num_regions <= _MOST_REGIONS and channels <= _MOST_CHANNELS and addressed


def _key(x: Tensor) -> _Key:
    return x.device, x.dtype


def _launch(name: str, programs: int, arguments: launches.Arguments) -> None:
    kernel = getattr(_kernels(), name)
    kernel[(programs,)](**{argument: arguments[argument] for argument in kernel.arg_names})


def _kernels() -> ModuleType:
    return importlib.import_module("lit_an.norms.attentive.triton_kernels")


def _switch_off(x: Tensor, error: Exception) -> None:
    """Leaves maps like this one to the path of blocks from now on; running out of memory is no reason to."""
    if isinstance(error, torch.OutOfMemoryError):
        raise error
    _STATE.works[_key(x)] = False
    reason = " ".join(str(error).split())[-300:] or type(error).__name__
    kind = str(x.dtype).removeprefix("torch.")
    _LOG.warning(
        "attentive normalization of %s maps on %s runs without its Triton kernels, slower: %s", kind, x.device, reason
    )


def _works(x: Tensor) -> bool:
    key = _key(x)
    if key not in _STATE.works:
        if torch.cuda.is_available() and torch.cuda.is_current_stream_capturing():
            return False  # nothing can be compared while a graph is recorded
        with _STATE.lock:
            if key not in _STATE.works:
                try:
                    _STATE.works[key] = _is_wanted(x.device)
                    if _STATE.works[key]:
                        _try_out(x.device, x.dtype)
                except Exception as error:
                    _switch_off(x, error)
    return _STATE.works[key]


def _is_wanted(device: torch.device) -> bool:
    if os.environ.get("LIT_AN_KERNEL") == "0":
        return False
    if torch.version.cuda is None or torch.cuda.get_device_capability(device) < _SMALLEST_CAPABILITY:
        raise _UnavailableError("they are for NVIDIA GPUs of compute capability 8.0 or more")
    return True


def _try_out(device: torch.device, dtype: torch.dtype) -> None:
    """Compares a small map with the path of blocks in float64.

    Raises:
        _UnavailableError: a result or a gradient differs.
    """
    random = torch.Generator("cpu").manual_seed(0)  # leaves the program's random numbers alone

    def drawn(*size: int) -> Tensor:
        return torch.randn(size, generator=random, device="cpu", dtype=torch.float64).to(device)

    channels, regions = 70, 5
    x, gradient = (drawn(2, channels, 5, 11).to(dtype) for _ in range(2))
    projections = drawn(channels, channels) / channels**0.5, drawn(2, regions, channels) / channels**0.5
    others = (*projections, drawn(2, regions), drawn(), drawn(regions, channels), drawn(regions, channels))
    exact, single = Inputs(x.double(), *others), Inputs(x, *(tensor.float() for tensor in others))
    with without_autocast(x), torch.cuda.device_of(x):
        output, saved = block_path.forward(exact, 1.0, 1e-5, True)
        expected = [output, *block_path.backward(exact, 1.0, 1e-5, saved, gradient.double())]
        output, saved = launches.normalize(_launch, single, 1.0, 1e-5)
        found = [output, *launches.differentiate(_launch, single, 1.0, saved, gradient)]
        errors = [
            (one.double() - other).norm() / other.norm()
            for one, other in zip(found, expected, strict=True)
            if one is not None and other is not None
        ]
        worst = float(torch.stack(errors).max())
    if not worst <= _TOLERANCE[dtype]:  # nan too
        raise _UnavailableError(f"a small map differs from the path of blocks by {worst:.1e} of its norm")

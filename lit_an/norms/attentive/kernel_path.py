"""Attentive normalization by the compiled kernel: tensors in, one call of the C library, tensors out.

The same formulas as ``block_path.py``, over panels of positions that stay in the first caches (``kernel/attentive.c``).
float32 and bfloat16 maps on a CPU, channels first or last; everything is computed in float32, and totals in float64.
"""

import ctypes
import itertools
import math
import threading
from collections.abc import Sequence

import torch
from torch import Tensor

import lit_an.norms.attentive.kernel_library as kernel_library
from lit_an.norms.attentive.inputs import Gradients, Inputs

_MOST_REGIONS = 64
_SHORTEST_LANE = 128  # positions
_SCRATCH = threading.local()
_LARGEST_SCRATCH = 16 << 20  # bytes; what is larger is given back


class _Map(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p)] + [
        (name, ctypes.c_long) for name in ("half", "image_stride", "channel_stride", "position_stride")
    ]


class _Call(ctypes.Structure):
    """``Call`` of kernel/call.h, field by field."""

    _fields_ = [
        ("parallel", ctypes.c_void_p),
        *((name, ctypes.c_long) for name in ("threads", "batch", "channels", "regions", "length", "lanes")),
        *((name, _Map) for name in ("x", "gradient", "out")),
        *((name, ctypes.c_void_p) for name in ("value_weight", "filters", "constants", "weight", "bias")),
        ("residual_scale", ctypes.c_void_p),
        ("temperature", ctypes.c_double),
        ("eps", ctypes.c_double),
        *((name, ctypes.c_void_p) for name in ("offset", "mass", "mean", "variance", "values", "layouts")),
        *((name, ctypes.c_void_p) for name in ("for_value", "for_filters", "for_constants", "for_weight", "for_bias")),
        *((name, ctypes.c_void_p) for name in ("for_residual", "scratch")),
    ]


def suits(x: Tensor, num_regions: int) -> bool:
    """Whether the kernel can normalize a map in so many regions."""
    real = type(x) in (Tensor, torch.nn.Parameter)  # something traced has no memory
    # A mode that counts or records operations would see none.
    return real and torch._C._len_torch_dispatch_stack() == 0 and accepts(x, num_regions)


def accepts(x: Tensor, num_regions: int) -> bool:
    """Whether the kernel can normalize maps of this type, shape and order of memory; ``x`` may be a fake tensor."""
    return (
        x.device.type == "cpu"
        and x.dtype in (torch.float32, torch.bfloat16)
        and x.numel() > 0
        and num_regions <= _MOST_REGIONS
        and (x.is_contiguous() or x.is_contiguous(memory_format=torch.channels_last))
        and kernel_library.library() is not None
    )


def saved_like(x: Tensor, num_regions: int) -> list[Tensor]:
    """Empty tensors of the sizes that ``forward`` saves for ``backward``: statistics, and kept values and layouts.

    Args:
        x: (B, C, H, W), which ``accepts`` knows; may be a fake tensor, of a symbolic size.
        num_regions: N.
    """
    kept = _kept_sizes(x, num_regions) if _keeps(x, num_regions, True) else []
    return _empty_like(x, _statistics_sizes(x, num_regions) + kept)


def forward(inputs: Inputs, temperature: float, eps: float, training: bool) -> tuple[Tensor, list[Tensor]]:
    """The result, and the tensors that ``backward`` needs beside the inputs; ``training``: there may be one."""
    x, regions = inputs.x, inputs.filters.shape[1]
    call = _Setup(inputs, temperature, eps)
    tensors = saved_like(x, regions) if training else _forgotten_like(x, regions)
    output = torch.empty_like(x)
    call.run("forward", tensors, out=output)
    return output, tensors


def backward(inputs: Inputs, temperature: float, eps: float, saved: Sequence[Tensor], gradient: Tensor) -> Gradients:
    """Gradients of the inputs."""
    x, value_weight, filters, constants, residual_scale, weight, bias = inputs
    last = not x.is_contiguous()
    gradient = gradient.to(x.dtype).contiguous(memory_format=torch.channels_last if last else torch.contiguous_format)
    call = _Setup(inputs, temperature, eps)
    batch, channels, regions = call.sizes

    def found(*size: int) -> Tensor:
        return torch.empty(size, dtype=torch.float32)

    for_x, for_value, for_filters = torch.empty_like(x), found(channels, channels), found(batch, regions, channels)
    for_constants = None if constants is None else found(batch, regions)
    for_weight = None if weight is None else found(batch, regions, channels)
    for_bias = None if bias is None else found(batch, regions, channels)
    for_residual = torch.empty(batch, dtype=torch.float64)
    pointers = {
        "for_value": for_value, "for_filters": for_filters, "for_constants": for_constants,
        "for_weight": for_weight, "for_bias": for_bias, "for_residual": for_residual,
    }  # fmt: skip
    call.run("backward", saved, out=for_x, gradient=gradient, **pointers)
    return (
        for_x,
        for_value.to(value_weight.dtype),
        for_filters.to(filters.dtype),
        None if for_constants is None or constants is None else for_constants.to(constants.dtype),
        for_residual.sum().to(residual_scale.dtype),
        _summed_like(weight, for_weight),
        _summed_like(bias, for_bias),
    )


def _summed_like(parameter: Tensor | None, gradient: Tensor | None) -> Tensor | None:
    """(B, N, C): the gradient of a parameter of each image; or its sum (N, C) where all images share one."""
    if parameter is None or gradient is None:
        return None
    return (gradient.sum(0) if parameter.dim() == 2 else gradient).to(parameter.dtype)


def _lanes(batch: int, length: int, threads: int) -> int:
    """Parts an image is cut into, so that no thread gets much more than another, and no part is very short."""
    most = max(1, length // _SHORTEST_LANE)
    return next(n for n in itertools.count(1) if n >= most or batch * n % threads == 0 or batch * n >= 8 * threads)


def _keeps(x: Tensor, regions: int, training: bool) -> bool:
    """Whether values and layouts, which are float32, are kept from pass to pass, and not computed again.

    Where memory allows: a training step stays below 6 times its input, evaluation below 3 times.
    """
    channels = x.shape[1]
    return 4 * (channels + regions) <= (3 if training else 2) * channels * x.element_size()


def _statistics_sizes(x: Tensor, regions: int) -> list[tuple[int, ...]]:
    """Sizes of offset, mass, mean and variance."""
    batch, channels = x.shape[:2]
    return [(batch, channels), (batch, regions), (batch, regions, channels), (batch, regions, channels)]


def _kept_sizes(x: Tensor, regions: int) -> list[tuple[int, ...]]:
    """Sizes of the memory for the values and the layouts of the whole map."""
    library = kernel_library.library()
    assert library is not None
    batch, channels, height, width = x.shape
    block, strip = library.block_positions(), library.strip_rows()
    positions = (height * width + block - 1) // block * block
    return [(batch, positions, (rows + strip - 1) // strip * strip) for rows in (channels, regions)]


def _empty_like(x: Tensor, sizes: Sequence[tuple[int, ...]]) -> list[Tensor]:
    return [x.new_empty(size, dtype=torch.float32) for size in sizes]


def _forgotten_like(x: Tensor, regions: int) -> list[Tensor]:
    """As ``saved_like`` for a pass without a backward pass: kept values and layouts in memory of the thread."""
    tensors = _empty_like(x, _statistics_sizes(x, regions))
    if _keeps(x, regions, False):
        sizes = _kept_sizes(x, regions)
        counts = [math.prod(size) for size in sizes]
        small = 4 * sum(counts) <= _LARGEST_SCRATCH
        memory = _scratch("kept", 4 * sum(counts)).view(torch.float32).split(counts) if small else _empty_like(x, sizes)
        tensors.extend(memory)
    return tensors


class _Setup:
    """A call in the making; holds on to every tensor whose address is in it."""

    def __init__(self, inputs: Inputs, temperature: float, eps: float) -> None:
        library = kernel_library.library()
        assert library is not None
        self.library = library
        self.alive: list[Tensor] = []
        self.call = _Call(parallel=kernel_library.parallel(), temperature=temperature, eps=eps)
        x, *parameters = inputs
        for name, parameter in zip(Inputs._fields[1:], parameters, strict=True):
            if parameter is not None:
                of_images = name in ("weight", "bias")  # one for each image, where all may share one
                wide = parameter.float().expand(len(x), -1, -1) if of_images else parameter.float()
                self._point(name, wide.contiguous())
        regions = self.alive[1].shape[1]
        self.sizes = len(x), x.shape[1], regions
        self.call.batch, self.call.channels, self.call.regions = self.sizes
        self.call.length = x.shape[2] * x.shape[3]
        self.call.x = self._map(x)
        threads = 1 if kernel_library.forked() else torch.get_num_threads()
        self.call.lanes = _lanes(len(x), self.call.length, threads)
        self.call.threads = min(threads, len(x) * self.call.lanes)

    def _point(self, name: str, tensor: Tensor) -> None:
        self.alive.append(tensor)
        setattr(self.call, name, tensor.data_ptr())

    def _map(self, tensor: Tensor) -> _Map:
        self.alive.append(tensor)
        channels, length = tensor.shape[1], self.call.length
        steps = (length, 1) if tensor.is_contiguous() else (1, channels)
        return _Map(tensor.data_ptr(), tensor.dtype == torch.bfloat16, channels * length, *steps)

    def run(
        self,
        name: str,
        tensors: Sequence[Tensor],
        out: Tensor,
        gradient: Tensor | None = None,
        **pointers: Tensor | None,
    ) -> None:
        """Calls the function of the library; the interpreter's lock is free meanwhile."""
        for field, tensor in zip(("offset", "mass", "mean", "variance", "values", "layouts"), tensors, strict=False):
            self._point(field, tensor)
        for field, pointer in pointers.items():
            if pointer is not None:
                self._point(field, pointer)
        self.call.out = self._map(out)
        if gradient is not None:
            self.call.gradient = self._map(gradient)
        self._point("scratch", _scratch("panels", self.library.scratch_bytes(ctypes.byref(self.call))))
        getattr(self.library, name)(ctypes.byref(self.call))


def _scratch(name: str, size: int) -> Tensor:
    """So many bytes of this thread, the same for the same name, kept from call to call: fresh ones cost page faults."""
    memory: Tensor | None = getattr(_SCRATCH, name, None)
    if memory is None or memory.numel() < size:
        with torch.inference_mode(False):  # else it could not be used in training afterwards
            memory = torch.empty(size, dtype=torch.uint8)
        setattr(_SCRATCH, name, memory)
    return memory[:size]

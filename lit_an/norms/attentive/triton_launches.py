"""Attentive normalization as launches of Triton kernels: tensors in, what to launch with what, tensors out.

Nothing here imports Triton. A ``Launch`` gets the name of a kernel of ``triton_kernels.py``, its number of programs and
its arguments; ``triton_path.py`` runs it, and ``benchmarks/triton_kernels.py`` compiles it for GPUs that are not here.

Forward reads x twice and writes the result. Backward reads x and the gradient twice, and writes the gradient of values
and logits, (C + N) / C times the size of the map, which two products read again. Only statistics are saved.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from lit_an.norms.attentive.inputs import Gradients, Inputs
from lit_an.norms.attentive.region_statistics import RegionGradients, RegionStatistics

Arguments = dict[str, Any]
Launch = Callable[[str, int, Arguments], None]

_SMALLEST_BLOCK = 16  # what a matrix unit takes
_OFFSET_POSITIONS = 1024
# Programs that sum over positions. A constant, so that sums have the same order on every device.
_PROGRAMS = 1024
LARGEST_REACH = 1 << 31  # elements of an image: kernels count them in 32 bits


def normalize(launch: Launch, inputs: Inputs, temperature: float, eps: float) -> tuple[Tensor, list[Tensor]]:
    """The result, and offset, mass, mean, square and scale, as ``block_path.saved_like`` has them."""
    x = inputs.x
    offset = _offset(x.flatten(2))
    maps = _Maps(inputs, temperature, offset)
    total, square, mass = maps.sums(launch, None)
    statistics = RegionStatistics.of_sums(mass[:, None], total, square, eps)
    scale, shift = (part * inputs.residual_scale for part in statistics.affine(inputs.weight, inputs.bias))
    output = torch.empty_like(maps.x)
    arguments = maps.arguments("normalized") | _map("out", output) | {"scale": _packed(scale), "shift": _packed(shift)}
    launch("normalized", maps.tile_programs("normalized"), arguments)
    return output.unflatten(2, x.shape[2:]), [offset[:, :, None], *statistics]


def differentiate(
    launch: Launch, inputs: Inputs, temperature: float, saved: Sequence[Tensor], gradient: Tensor
) -> Gradients:
    """Gradients of the inputs."""
    x, residual_scale = inputs.x, inputs.residual_scale
    offset, statistics = saved[0][:, :, 0], RegionStatistics(*saved[1:])
    maps = _Maps(inputs, temperature, offset)
    flat = _flat(gradient)
    by_scale, by_shift, _ = maps.sums(launch, flat)
    regional = RegionGradients.of_sums(statistics, residual_scale, inputs.weight, inputs.bias, by_scale, by_shift)
    joint = maps.empty_joint()
    names = ("scale", "shift", "by_square", "by_total", "by_mass")
    small = {name: _packed(getattr(regional, name)) for name in names}
    arguments = maps.arguments("joint_gradient") | _map("gradient", flat, "g") | _map("joint", joint, "j") | small
    launch("joint_gradient", maps.batch * maps.tiles("joint_gradient"), arguments)
    for_x = torch.empty_like(maps.x)
    arguments = maps.arguments("input_gradient") | _map("gradient", flat, "g") | _map("joint", joint, "j")
    launch("input_gradient", maps.tile_programs("input_gradient"), arguments | _map("out", for_x))
    for_value = maps.weight_gradient(launch, joint, 0, maps.channels, 1)
    for_filters = maps.weight_gradient(launch, joint, maps.channels, maps.regions, maps.batch) * temperature
    for_base = joint[:, maps.channels :].sum(2, dtype=torch.float32) * temperature  # (B, N)
    return (
        for_x.unflatten(2, x.shape[2:]),
        for_value[0],
        for_filters + for_base[:, :, None] * offset[:, None],
        None if inputs.constants is None else for_base,
        *(regional.for_residual, regional.for_weight, regional.for_bias),
    )


def _flat(tensor: Tensor) -> Tensor:
    """(B, C, L), a view where one number is the step of positions, and where an image is not spread too far."""
    flat = tensor.flatten(2)
    reach = sum((size - 1) * stride for size, stride in zip(flat.shape[1:], flat.stride()[1:], strict=True))
    return flat if reach < LARGEST_REACH else flat.contiguous()


def _offset(flat: Tensor) -> Tensor:
    """(B, C): about the channels' means, from positions spread over the map; results do not depend on it."""
    step = max(1, flat.shape[2] // _OFFSET_POSITIONS)
    return flat[:, :, ::step].mean(2, dtype=torch.float32)


def _map(name: str, flat: Tensor, prefix: str | None = None) -> Arguments:
    """A map (B, rows, L) and its strides."""
    strides = zip(("image", "row", "step"), flat.stride(), strict=True)
    return {name: flat} | {f"{prefix or name}_{part}": stride for part, stride in strides}


def _packed(tensor: Tensor) -> Tensor:
    return tensor.float().contiguous()


def _power(size: int, most: int) -> int:
    """The smallest block that holds ``size`` rows, or the largest one."""
    return max(_SMALLEST_BLOCK, min(most, 1 << (size - 1).bit_length()))


def _ceil(size: int, block: int) -> int:
    return -(-size // block)


class _Maps:
    """A map, what it is projected with, and how it is cut into blocks."""

    def __init__(self, inputs: Inputs, temperature: float, offset: Tensor) -> None:
        self.x = _flat(inputs.x)
        self.batch, self.channels, self.length = self.x.shape
        self.regions = inputs.filters.shape[1]
        filters = inputs.filters.float()
        base = (filters * offset[:, None]).sum(2)  # (B, N); a product would round as PyTorch's settings say
        base = base if inputs.constants is None else base + inputs.constants
        self.projection = {
            "offset": offset.contiguous(),
            "value_weight": _packed(inputs.value_weight),
            "filters": _packed(filters * temperature),
            "base": _packed(base * temperature),
        }
        # Half precision has fewer bits than TF32; float32 takes three products of TF32, which lose next to nothing.
        self._exact = self.x.dtype == torch.float32

    def blocks(self, kernel: str) -> Arguments:
        """Sizes of blocks: what one program holds in registers."""
        joint, exact, some, many = kernel == "joint_gradient", self._exact, self.regions > 16, self.regions > 32
        rows, positions = 32 if some else 64, 32 if some or exact else 64
        if joint:
            rows, positions = 16 if some else 32, 16 if many or exact else 32
        elif exact and some:
            rows = 16
        return {
            "BLOCK_C": _power(self.channels, rows),
            "BLOCK_K": _power(self.channels, 16 if exact and (many if joint else some) else 32),
            "BLOCK_N": _power(self.regions, 64),
            "BLOCK_P": positions,
            "PRECISION": "tf32x3" if exact else "tf32",
        }

    def tiles(self, kernel: str) -> int:
        """Of positions, in one image."""
        return _ceil(self.length, int(self.blocks(kernel)["BLOCK_P"]))

    def channel_blocks(self, kernel: str) -> int:
        return _ceil(self.channels, int(self.blocks(kernel)["BLOCK_C"]))

    def tile_programs(self, kernel: str) -> int:
        """Programs, where each has one tile of some channels."""
        return self.batch * self.tiles(kernel) * self.channel_blocks(kernel)

    def arguments(self, kernel: str) -> Arguments:
        """What every kernel over the map takes."""
        sizes = {"length": self.length, "tiles": self.tiles(kernel), "C": self.channels, "N": self.regions}
        return _map("x", self.x) | self.projection | sizes | self.blocks(kernel)

    def sums(self, launch: Launch, gradient: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """(B, C, N) twice and, without a gradient, the mass (B, N); see ``region_sums``."""
        kernel = "region_sums"
        tiles = self.tiles(kernel)
        each = _ceil(tiles, max(1, _PROGRAMS // (self.batch * self.channel_blocks(kernel))))
        splits = _ceil(tiles, each)
        per_region = (2, self.batch, splits, self.channels, self.regions)
        both = self.x.new_empty(per_region, dtype=torch.float32)
        mass = self.x.new_empty((self.batch, splits, self.regions), dtype=torch.float32)
        arguments = self.arguments(kernel) | _map("gradient", self.x if gradient is None else gradient, "g")
        arguments |= {"first": both[0], "second": both[1], "mass": mass, "BACKWARD": gradient is not None}
        launch(
            kernel,
            self.batch * splits * self.channel_blocks(kernel),
            arguments | {"splits": splits, "tiles_each": each},
        )
        return both[0].sum(1), both[1].sum(1), mass.sum(1)

    def empty_joint(self) -> Tensor:
        """(B, C + N, L), in the memory order of the map; float16 could overflow."""
        rows = self.channels + self.regions
        dtype = torch.float32 if self.x.dtype == torch.float16 else self.x.dtype
        if self.x.stride(1) == 1 and self.x.stride(2) != 1:
            return self.x.new_empty((self.batch, self.length, rows), dtype=dtype).mT
        return self.x.new_empty((self.batch, rows, self.length), dtype=dtype)

    def weight_gradient(self, launch: Launch, joint: Tensor, first: int, rows: int, groups: int) -> Tensor:
        """(groups, rows, C): rows of ``joint`` times the centered map, summed over an image or over all of them."""
        kernel = "weight_gradient"
        blocks = self.blocks(kernel)
        block_rows, block_columns = _power(rows, 64), blocks["BLOCK_K"]
        programs = _ceil(rows, block_rows) * _ceil(self.channels, block_columns)
        tiles = self.tiles(kernel)
        group = self.batch * tiles // groups
        each = _ceil(group, max(1, _PROGRAMS // (groups * programs)))
        splits = _ceil(group, each)
        out = self.x.new_empty((groups, splits, rows, self.channels), dtype=torch.float32)
        places = {"length": self.length, "tiles": tiles, "group": group, "splits": splits, "tiles_each": each}
        sizes = {"C": self.channels, "FIRST": first, "ROWS": rows, "BLOCK_R": block_rows}
        sizes |= {name: blocks[name] for name in ("BLOCK_K", "BLOCK_P", "PRECISION")}
        maps = _map("x", self.x) | _map("joint", joint, "j")
        offset = self.projection["offset"]
        launch(kernel, groups * splits * programs, maps | {"offset": offset, "out": out} | places | sizes)
        return out.sum(1)

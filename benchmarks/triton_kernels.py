"""The Triton kernels of attentive normalization without a GPU: compiled for three of them, and their bounds computed.

    python benchmarks/triton_kernels.py [--capabilities 80 90 100] [--bounds]

Every launch of a step is recorded on PyTorch's device meta, and compiled as it would be there: Triton's driver is
replaced by one that only names the GPU. ptxas and cuobjdump come with Triton. Columns: registers of a thread, bytes of
its stack (where spilled registers go), KiB of shared memory, programs. ``--bounds`` compiles nothing and prints, per
shape, bytes moved and operations, and the time that an H100 cannot undercut: computed, not measured.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch

sys.path.insert(0, str(Path(__file__).parent.parent))
import lit_an.norms.attentive.triton_launches as launches
from lit_an.norms.attentive.inputs import Inputs

TYPES = {torch.float32: "fp32", torch.float16: "fp16", torch.bfloat16: "bf16"}
BANDWIDTH = 3.35e12  # bytes a second of an H100 SXM
PEAK = 494.7e12  # its operations a second in TF32, dense
COMPUTED = "computed, not measured"


class Shape(NamedTuple):
    """A feature map, its regions, and who has it."""

    batch: int
    channels: int
    side: int
    regions: int
    dtype: torch.dtype
    channels_last: bool
    whose: str

    def title(self) -> str:
        order = "last" if self.channels_last else "first"
        return f"{self.batch}×{self.channels}×{self.side}², N={self.regions}, {TYPES[self.dtype]}, channels {order}"


SHAPES = [
    *(Shape(1, 32, side, 16, torch.float32, False, "the paper's table") for side in (128, 256, 512, 1024)),
    Shape(32, 256, 32, 16, torch.bfloat16, True, "imagenet128_an"),
    Shape(32, 192, 64, 16, torch.bfloat16, True, "imagenet128_modern"),
    Shape(16, 128, 64, 16, torch.bfloat16, True, "inpainting at 256 px"),
    Shape(16, 128, 64, 16, torch.float32, True, "inpainting at 256 px"),
]
# What is compiled: the sides of maps change nothing there; and the ends of what the kernels take.
COMPILED = [
    SHAPES[1],
    SHAPES[4],
    *SHAPES[-2:],
    Shape(2, 3, 17, 4, torch.float16, False, ""),
    Shape(4, 100, 33, 32, torch.float32, False, ""),
    Shape(2, 1024, 16, 64, torch.float32, False, ""),
    Shape(2, 1024, 16, 64, torch.bfloat16, True, ""),
]


class Launch(NamedTuple):
    name: str
    programs: int
    arguments: launches.Arguments


def launches_of(shape: Shape) -> list[Launch]:
    """Those of a step: the first two are forward."""
    memory_format = torch.channels_last if shape.channels_last else torch.contiguous_format
    batch, channels, side, regions, dtype, *_ = shape
    size = (batch, channels, side, side)
    x = torch.empty(size, device="meta", dtype=dtype, memory_format=memory_format)

    def parameter(*size: int) -> torch.Tensor:
        return torch.empty(size, device="meta")

    of_regions = parameter(batch, regions, channels), parameter(batch, regions), parameter()
    affine = parameter(regions, channels), parameter(regions, channels)
    inputs = Inputs(x, parameter(channels, channels), *of_regions, *affine)
    found: list[Launch] = []

    def record(*launch: object) -> None:
        found.append(Launch(*launch))  # type: ignore[arg-type]

    _, saved = launches.normalize(record, inputs, 1.0, 1e-5)
    launches.differentiate(record, inputs, 1.0, saved, torch.empty_like(x))
    return found


class Resources(NamedTuple):
    registers: int
    stack: int  # bytes
    shared: int  # bytes


class Absent:
    """Triton's driver of a GPU that is not here: it says what to compile for, and launches nothing."""

    def __init__(self, capability: int) -> None:
        self.capability = capability

    def get_current_device(self) -> int:
        return self.capability  # Triton keeps what it compiled by device

    def get_current_stream(self, device: int | None = None) -> int:
        return 0

    def get_current_target(self) -> object:
        from triton.backends.compiler import GPUTarget

        return GPUTarget("cuda", self.capability, 32)


def resources(launch: Launch, capability: int) -> Resources:
    """What a kernel takes on a device of that compute capability (80 is 8.0), compiled as for a launch."""
    import triton
    from triton.runtime.driver import driver

    import lit_an.norms.attentive.triton_kernels as kernels

    kernel = getattr(kernels, launch.name)
    before = driver._active
    driver.set_active(Absent(capability))
    try:
        arguments = {name: launch.arguments[name] for name in kernel.arg_names}
        compiled = kernel.warmup(grid=(launch.programs,), **arguments)
    finally:
        driver._active = before
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(compiled.asm["cubin"])
        file.flush()
        program = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"
        command = [str(program), "-res-usage", file.name]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    registers, stack = (int(re.findall(rf"{word}:(\d+)", said)[-1]) for word in ("REG", "STACK"))
    return Resources(registers, stack, compiled.metadata.shared)


class Bound(NamedTuple):
    """Of one pass; seconds are the larger of bytes ÷ bandwidth and operations ÷ peak."""

    bytes: int
    operations: int
    seconds: float


def bounds(shape: Shape) -> tuple[Bound, Bound]:
    """Forward and backward. E = B·C·L elements of s bytes, J = B·(C + N)·L of the joint gradient, all maps once a pass.

    Bytes: forward 3 E s (x twice, the result); backward 8 E s (x and G for the sums, x and G for the joint gradient,
    G and the result, x for the gradients of W_v and of the filters) + 3 J s (written, read twice) + B·N·L s.
    Operations per position: forward 4 C (C + N) + 8 C N; backward 8 C (C + N) + 18 C N; times 3 in float32, whose
    products are three of TF32.
    """
    batch, channels, side, regions, dtype, *_ = shape
    positions, size = batch * side * side, dtype.itemsize
    elements, joint = positions * channels, positions * (channels + regions)
    joint_size = 4 if dtype == torch.float16 else size  # float16 could overflow
    moved = 3 * elements * size, 8 * elements * size + (3 * joint + positions * regions) * joint_size
    both, thin = channels * (channels + regions), channels * regions
    times = positions * (3 if dtype == torch.float32 else 1)
    operations = times * (4 * both + 8 * thin), times * (8 * both + 18 * thin)
    return tuple(  # type: ignore[return-value]
        Bound(count, work, max(count / BANDWIDTH, work / PEAK)) for count, work in zip(moved, operations, strict=True)
    )


def bound_rows() -> Iterator[list[str]]:
    for shape in SHAPES:
        cells = [shape.title(), shape.whose]
        for bound in bounds(shape):
            limit = "bytes" if bound.bytes / BANDWIDTH >= bound.operations / PEAK else "operations"
            cells += [f"{bound.bytes / 1e6:.1f}", f"{bound.operations / 1e9:.2f}", f"{bound.seconds * 1e3:.4f}", limit]
        yield cells


def table(head: list[str], rows: Iterator[list[str]]) -> None:
    for cells in (head, ["---"] * len(head)):
        print("|", " | ".join(cells), "|")
    for row in rows:
        print("|", " | ".join(row), "|", flush=True)


def resource_rows(capabilities: list[int]) -> Iterator[list[str]]:
    for shape in COMPILED:
        for place, launch in enumerate(launches_of(shape)):
            cells = [shape.title(), f"{launch.name} ({'forward' if place < 2 else 'backward'})"]
            for capability in capabilities:
                used = resources(launch, capability)
                cells.append(f"{used.registers} / {used.stack} / {used.shared / 1024:.0f}")
            yield [*cells, str(launch.programs)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--capabilities", type=int, nargs="+", default=[80, 90, 100])
    parser.add_argument("--bounds", action="store_true")
    arguments = parser.parse_args()
    if arguments.bounds:
        print(f"H100 SXM, {BANDWIDTH / 1e12} TB/s, {PEAK / 1e12} TFLOP/s (TF32): {COMPUTED}\n{bounds.__doc__}")
        columns = [
            f"{name} {pass_}" for pass_ in ("forward", "backward") for name in ("MB", "GFLOP", "ms at least", "by")
        ]
        table(["map", "whose", *columns], bound_rows())
    else:
        names = [f"sm_{capability}: registers / stack, B / shared, KiB" for capability in arguments.capabilities]
        table(["map", "kernel", *names, "programs"], resource_rows(arguments.capabilities))


if __name__ == "__main__":
    main()

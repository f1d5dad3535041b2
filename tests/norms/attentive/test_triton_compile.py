"""The Triton kernels compiled for GPUs that are not here: no register is spilled, and shared memory suffices."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.benchmark_modules import loaded

REGISTERS = 255
# Of the 99 KiB of the smallest device of compute capability 8, so that two programs run at a time; of 227 KiB, four.
SHARED = {80: 99 * 1024 // 2, 90: 227 * 1024 // 4, 100: 227 * 1024 // 4}
STACK = {80: 0, 90: 0, 100: 40}  # bytes; the compiler for the last one keeps some in float32


@pytest.fixture(scope="module")
def benchmark() -> Any:
    pytest.importorskip("triton")
    if os.environ.get("TRITON_INTERPRET") == "1":
        pytest.skip("the interpreter takes the compiler's place")
    return loaded("triton_kernels")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))


def check(benchmark: Any, shape: object, capability: int, names: set[str]) -> None:
    launches = [launch for launch in benchmark.launches_of(shape) if launch.name in names]
    assert len(launches) >= len(names)
    for launch in launches:
        used = benchmark.resources(launch, capability)
        assert used.stack <= STACK[capability], f"{launch.name} of {shape} spills on sm_{capability}"
        assert used.shared <= SHARED[capability], (
            f"{launch.name} of {shape} takes {used.shared} bytes on sm_{capability}"
        )
        assert used.registers <= REGISTERS


@pytest.mark.parametrize("capability", [80, 90])
def test_the_kernels_that_hold_most_compile_without_spills(benchmark: Any, capability: int) -> None:
    shape = benchmark.SHAPES[-1]  # float32, 16 regions: the recipes' with most registers
    check(benchmark, shape, capability, {"region_sums", "joint_gradient"})


@pytest.mark.slow  # a hundred compilations
@pytest.mark.parametrize("capability", [80, 90, 100])
def test_all_kernels_compile_without_spills(benchmark: Any, capability: int) -> None:
    names = {"region_sums", "normalized", "joint_gradient", "input_gradient", "weight_gradient"}
    for shape in benchmark.COMPILED:
        check(benchmark, shape, capability, names)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_bounds_count_every_map_once(dtype: torch.dtype, benchmark: Any) -> None:
    """Against the maps that launches are given, and by hand."""
    shape = benchmark.Shape(2, 32, 64, 16, dtype, False, "")
    forward, backward = benchmark.bounds(shape)
    moved = [0, 0]
    for place, launch in enumerate(benchmark.launches_of(shape)):
        names = {"x", "out", "gradient", "joint"}
        if launch.name == "region_sums" and place == 0:
            names.remove("gradient")  # x stands in for it and is not read
        if launch.name in ("weight_gradient", "input_gradient"):
            names.discard("x" if launch.name == "input_gradient" else "out")
        if launch.name == "joint_gradient":
            names.discard("out")
        for name in names & launch.arguments.keys():
            tensor = launch.arguments[name]
            rows = launch.arguments.get("ROWS", tensor.shape[1]) if name == "joint" else tensor.shape[1]
            moved[place >= 2] += tensor.numel() // tensor.shape[1] * rows * tensor.itemsize
    sum_of_constants = 2 * 16 * 64 * 64 * (4 if dtype == torch.float16 else 2)
    assert (forward.bytes, backward.bytes) == (moved[0], moved[1] + sum_of_constants)
    assert forward.operations == 2 * 64 * 64 * (4 * 32 * 48 + 8 * 32 * 16)
    assert forward.seconds == max(forward.bytes / 3.35e12, forward.operations / 494.7e12)

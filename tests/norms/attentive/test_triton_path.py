"""The path of NVIDIA GPUs: its kernels in Triton's interpreter, and what happens where they do not run."""

import logging
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

import lit_an.norms.attentive.block_path as block_path
import lit_an.norms.attentive.dispatch as dispatch
import lit_an.norms.attentive.triton_path as triton_path
from lit_an.norms.attentive.inputs import Inputs

ROOT = Path(__file__).parent.parent.parent.parent
KERNELS = "lit_an.norms.attentive.triton_kernels"


def make_inputs(x: torch.Tensor, regions: int = 4) -> Inputs:
    def drawn(*size: int) -> torch.Tensor:
        return torch.randn(size, device=x.device)

    batch, channels = x.shape[:2]
    projections = drawn(channels, channels) / channels**0.5, drawn(batch, regions, channels) / channels**0.5
    return Inputs(x, *projections, drawn(batch, regions), drawn(), drawn(regions, channels), drawn(regions, channels))


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(triton_path, "_STATE", triton_path._State())
    caplog.set_level(logging.WARNING)


@pytest.mark.parametrize("options", [[], pytest.param(["--runslow"], marks=pytest.mark.slow)], ids=["few", "all"])
def test_kernels_equal_the_oracle_in_the_interpreter(options: list[str]) -> None:
    """``interpreted_triton.py``, in a process that has not imported Triton yet."""
    pytest.importorskip("triton")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    environment = os.environ | {"TRITON_INTERPRET": "1", "PYTHONPATH": str(ROOT)}
    file = Path(__file__).with_name("interpreted_triton.py")
    done = subprocess.run([*command, str(file)], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert " passed" in done.stdout


def test_a_map_on_a_cpu_does_not_import_triton() -> None:
    code = (
        "import sys, torch; from lit_an.norms import AttentiveNorm2d; AttentiveNorm2d(4)(torch.randn(1, 4, 8, 8)).sum()"
        f".backward(); assert 'triton' not in sys.modules and {KERNELS!r} not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"PYTHONPATH": str(ROOT)}, timeout=300)


def run(path: ModuleType, inputs: Inputs, saved_by: ModuleType) -> list[Any]:
    """Result and gradients; the backward pass after the forward pass of another path."""
    output, _ = path.forward(inputs, 1.0, 1e-5, True)
    _, saved = saved_by.forward(inputs, 1.0, 1e-5, True)
    return [output, *path.backward(inputs, 1.0, 1e-5, saved, torch.ones_like(inputs.x))]


@pytest.mark.parametrize("fails_at", ["region_sums", "normalized", "joint_gradient", "weight_gradient"])
def test_a_kernel_that_fails_leaves_the_map_to_blocks_with_one_line(
    fails_at: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Forward and backward; what blocks save fits either."""
    calls: list[str] = []

    def launch(name: str, programs: int, arguments: dict[str, Any]) -> None:
        calls.append(name)
        if name == fails_at:
            raise RuntimeError("PTX assembly aborted\n due to errors")
        for argument in ("first", "second", "mass", "out", "joint"):
            if argument in arguments:
                arguments[argument].zero_()

    monkeypatch.setattr(triton_path, "_launch", launch)
    inputs = make_inputs(torch.randn(2, 5, 6, 7))
    found, expected = (run(path, inputs, block_path) for path in (triton_path, block_path))
    if fails_at in ("joint_gradient", "weight_gradient"):
        found, expected = found[1:], expected[1:]  # forward had its kernels, which wrote zeros
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)
    (message,) = caplog.messages
    beginning = "attentive normalization of float32 maps on cpu runs without its Triton kernels, slower: "
    assert message == beginning + "PTX assembly aborted due to errors"
    assert calls[-1] == fails_at
    count = len(calls)
    run(triton_path, inputs, triton_path)
    assert len(calls) == count, "it is not tried again"


def test_running_out_of_memory_switches_nothing_off(monkeypatch: pytest.MonkeyPatch) -> None:
    def launch(*args: object) -> None:
        raise torch.OutOfMemoryError("no memory")

    monkeypatch.setattr(triton_path, "_launch", launch)
    with pytest.raises(torch.OutOfMemoryError):
        run(triton_path, make_inputs(torch.randn(2, 5, 6, 7)), triton_path)
    assert triton_path._STATE.works == {}


def test_without_triton_one_line_says_so(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(triton_path, "_is_wanted", lambda device: True)
    monkeypatch.delitem(sys.modules, KERNELS, raising=False)
    monkeypatch.setitem(sys.modules, "triton", None)
    x = torch.randn(1, 2, 3, 3)
    assert not triton_path._works(x)
    assert not triton_path._works(x)
    (message,) = caplog.messages
    assert "import of triton halted" in message


def test_the_environment_switches_it_off_without_a_word(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("LIT_AN_KERNEL", "0")
    assert not triton_path._works(torch.randn(1, 2, 3, 3))
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("x", "regions"),
    [
        (torch.empty(1, 2, 3, 3), 4),
        (torch.empty(1, 2, 3, 3, device="meta"), 4),
        (torch.empty(0, 2, 3, 3), 4),
    ],
)
def test_other_devices_have_other_paths(x: torch.Tensor, regions: int) -> None:
    assert not triton_path.suits(x, regions)
    assert dispatch.path_of(x, regions) is not triton_path
    assert triton_path._STATE.works == {}


@pytest.mark.parametrize(
    ("shape", "regions", "fits"),
    [
        ((1, 1024, 16, 16), 64, True),
        ((0, 8, 4, 4), 4, False),
        ((1, 1025, 4, 4), 4, False),
        ((1, 8, 4, 4), 65, False),
        ((1, 1024, 2048, 1024), 1, False),
        ((3, 512, 1024, 1024), 16, True),
    ],
)
def test_sizes_that_the_kernels_take(shape: tuple[int, ...], regions: int, fits: bool) -> None:
    assert triton_path._fits(torch.empty(shape, device="meta"), regions) == fits


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_a_gpu_equals_the_path_of_blocks(dtype: torch.dtype, memory_format: torch.memory_format) -> None:
    x = torch.randn(2, 70, 33, 31, device="cuda", dtype=dtype).contiguous(memory_format=memory_format)
    assert dispatch.path_of(x, 5) is triton_path
    inputs = make_inputs(x, 5)
    for one, other in zip(run(triton_path, inputs, triton_path), run(block_path, inputs, block_path), strict=True):
        assert (one.double() - other.double()).norm() < 2 * triton_path._TOLERANCE[dtype] * other.double().norm()

"""Blocks of a map: nothing to cut, and how much memory the cutting needs."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

import lit_an.norms.attentive.kernel_library as kernel_library
from lit_an.norms import AttentiveNorm2d


@pytest.mark.parametrize("threads", [1, 2])
def test_no_image_gives_no_image(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    x = torch.zeros(0, 8, 4, 4, requires_grad=True)
    y = AttentiveNorm2d(8, num_regions=4)(x)
    y.sum().backward()
    assert y.shape == x.shape
    assert x.grad is not None
    assert x.grad.shape == x.shape


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak is read from Linux' accounts of a process")
@pytest.mark.parametrize(
    ("name", "side"), [("attentive", "512"), ("attentive", "128"), ("attentive, by blocks", "512")]
)
@pytest.mark.parametrize(("mode", "limit"), [("train", 6), ("eval", 3)])
def test_peak_memory_is_a_small_multiple_of_the_input(name: str, side: str, mode: str, limit: int) -> None:
    # A fresh process, as only the peak of a whole process is known. 32 MiB, beside which nothing else matters, and
    # 2 MiB, beside which blocks of PyTorch's products do.
    if side == "128" and kernel_library.library() is None:
        pytest.skip("needs the compiled kernel: a C compiler, and PyTorch on OpenMP")
    benchmark = Path(__file__).parents[3] / "benchmarks" / "norms.py"
    argv = [sys.executable, str(benchmark), "--memory-of", name, "32", "1", side, mode]
    multiple = float(subprocess.check_output(argv, text=True))
    assert 1 < multiple <= limit

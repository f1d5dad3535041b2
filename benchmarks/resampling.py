"""Convolutions that double, halve or keep a map: the plain order against both cheap forms, and the form that is chosen.

    python benchmarks/resampling.py [--batch 4 32] [--rounds 5] [--threads 2] [--json FILE]

Milliseconds of processor time of a forward and a backward pass, medians, channels-last, float32; the forms take turns.
The layers are those of the 128 and 256 px networks. "Matrix" and "convolution" are the two sides of ``MATRIX_FROM`` in
``lit_an/networks/resampling.py``; the column before them is what that constant is compared with.
"""

import os

os.environ["OMP_WAIT_POLICY"] = "passive"  # threads that wait do no work; read when PyTorch is loaded

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parent.parent))
import lit_an.networks.resampling as resampling
from lit_an.command_line.allocator import keep_freed_memory
from lit_an.files import replacing

# Resampling, side of the input, channels before and after.
LAYERS: list[tuple[resampling.Resampling, int, int, int]] = [
    ("double", 4, 1024, 1024),
    ("double", 8, 1024, 512),
    ("double", 8, 512, 512),
    ("double", 16, 1024, 512),
    ("double", 16, 512, 256),
    ("double", 32, 256, 128),
    ("double", 64, 128, 64),
    ("halve", 128, 64, 64),
    ("halve", 64, 128, 128),
    ("halve", 32, 256, 256),
    ("halve", 16, 512, 512),
    ("halve", 16, 1024, 1024),
    ("halve", 8, 1024, 1024),
    ("none", 4, 1024, 1024),
    ("none", 8, 1024, 1024),
    ("none", 8, 512, 512),
    ("none", 16, 512, 512),
]
CHEAP = {
    "double": resampling.doubled_convolution,
    "halve": resampling.halved_convolution,
    "none": resampling.same_convolution,
}


def plain(kind: str, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    if kind == "double":
        x = F.interpolate(x, scale_factor=2.0, mode="nearest")
    x = F.conv2d(x, weight, bias, padding=1)
    return F.avg_pool2d(x, 2) if kind == "halve" else x


def with_limit(kind: resampling.Resampling, limit: int) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """The cheap form with ``MATRIX_FROM`` at a value that decides."""

    def run(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        chosen, resampling.MATRIX_FROM = resampling.MATRIX_FROM, dict.fromkeys(resampling.MATRIX_FROM, limit)
        try:
            return CHEAP[kind](x, weight, bias)
        finally:
            resampling.MATRIX_FROM = chosen

    return run


def milliseconds(
    kind: resampling.Resampling, side: int, channels: int, features: int, batch: int, rounds: int
) -> dict[str, float]:
    """Of each form, medians over rounds."""
    layout = torch.channels_last
    x = torch.randn(batch, channels, side, side).to(memory_format=layout).requires_grad_()
    weight = (torch.randn(features, channels, 3, 3) / channels).to(memory_format=layout).requires_grad_()
    bias = torch.randn(features, requires_grad=True)
    forms: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
        "plain": lambda x, weight, bias: plain(kind, x, weight, bias),
        "matrix": with_limit(kind, 0),
        "convolution": with_limit(kind, 1 << 62),
    }
    direction = torch.randn_like(plain(kind, x, weight, bias))
    taken: dict[str, list[float]] = {name: [] for name in forms}
    for count in range(rounds + 1):  # the first does not count
        for name, form in forms.items():
            start = time.process_time()
            torch.autograd.grad(form(x, weight, bias), (x, weight, bias), direction)
            if count:
                taken[name].append(1000 * (time.process_time() - start))
    return {name: statistics.median(values) for name, values in taken.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, nargs="+", default=[4, 32])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    keep_freed_memory()
    rows = []
    print("| map | channels | batch | weights a position | plain, ms | plain ÷ matrix | plain ÷ convolution | chosen |")
    print("|---|---|---|---|---|---|---|---|")
    for kind, side, channels, features in LAYERS:
        for batch in options.batch:
            taken = milliseconds(kind, side, channels, features, batch, options.rounds)
            weights = channels * features / (side // 2 if kind == "halve" else side) ** 2
            chosen = "matrix" if weights >= resampling.MATRIX_FROM[kind] else "convolution"
            matrix, convolution = (taken["plain"] / taken[name] for name in ("matrix", "convolution"))
            after = {"double": 2 * side, "halve": side // 2, "none": side}[kind]
            cells = (f"{side}² → {after}²", f"{channels} → {features}", batch, round(weights), f"{taken['plain']:.0f}")
            print("|", " | ".join(map(str, (*cells, f"{matrix:.2f}", f"{convolution:.2f}", chosen))), "|", flush=True)
            rows.append({"kind": kind, "side": side, "channels": [channels, features], "batch": batch, **taken})
    if options.json is not None:
        with replacing(options.json) as temporary:
            temporary.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()

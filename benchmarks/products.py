"""The products inside attentive normalization, alone: why they are batched by strips and never touch the map itself.

    python benchmarks/products.py

GFLOP/s, medians of 60, float32: each product over one strip of positions, over one strip for each thread, and the
projection written straight into rows of a map that lie a power of two apart; the 3×3 convolution beside them.
"""

import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F

REGIONS, POSITIONS, MAP_POSITIONS = 16, 4096, 1 << 16


def speed(flops: float, product: Callable[[], object]) -> float:
    """GFLOP/s of the median of 60 calls."""
    seconds = []
    for _ in range(65):
        start = time.perf_counter()
        product()
        seconds.append(time.perf_counter() - start)
    return flops / statistics.median(seconds[5:]) / 1e9


def products(channels: int, strips: int) -> dict[str, float]:
    """Spreading statistics over positions, the layout's gradient, gathering statistics, projecting."""
    length = POSITIONS // strips
    rows = torch.randn(strips, 4 * channels, length)
    layout = torch.randn(strips, REGIONS, length)
    shapes = {
        "spread": (torch.randn(strips, 3 * channels, REGIONS), layout),
        "layout gradient": (torch.randn(strips, REGIONS, 4 * channels), rows),
        "gather": (rows, layout.mT),
        "project": (torch.randn(strips, channels + REGIONS, channels), rows[:, :channels]),
    }
    found = {}
    for name, (left, right) in shapes.items():
        out = torch.empty(strips, left.shape[1], right.shape[2])
        flops = 2 * strips * left.shape[1] * left.shape[2] * right.shape[2]
        found[name] = speed(flops, lambda left=left, right=right, out=out: torch.bmm(left, right, out=out))
    return found


def into_map(channels: int) -> float:
    """The value projection, written to a block of a map."""
    weight, block = torch.randn(1, channels, channels), torch.randn(1, channels, POSITIONS)
    out = torch.empty(1, channels, MAP_POSITIONS)[:, :, :POSITIONS]
    return speed(2 * channels**2 * POSITIONS, lambda: torch.bmm(weight, block, out=out))


def into_scratch(channels: int) -> float:
    """The same, written to memory without gaps."""
    weight, block = torch.randn(1, channels, channels), torch.randn(1, channels, POSITIONS)
    out = torch.empty(1, channels, POSITIONS)
    return speed(2 * channels**2 * POSITIONS, lambda: torch.bmm(weight, block, out=out))


def convolution(channels: int) -> float:
    """3×3, forward."""
    x, weight = torch.randn(1, channels, 64, POSITIONS // 64), torch.randn(channels, channels, 3, 3)
    with torch.no_grad():
        return speed(18 * channels**2 * POSITIONS, lambda: F.conv2d(x, weight, padding=1))


def main() -> None:
    threads = torch.get_num_threads()
    print(f"GFLOP/s, {threads} threads, {POSITIONS} positions")
    for channels in (32, 64, 128):
        one, many = products(channels, 1), products(channels, threads)
        print(f"C = {channels}: 3×3 convolution {convolution(channels):.0f}")
        for name, value in one.items():
            print(
                f"  {name:16} one strip {value:5.0f}   a strip a thread {many[name]:5.0f}   × {many[name] / value:.2f}"
            )
        scratch, rows = into_scratch(channels), into_map(channels)
        print(f"  {'values':16} into scratch {scratch:5.0f}   into the map {rows:5.0f}   × {rows / scratch:.2f}")


if __name__ == "__main__":
    main()

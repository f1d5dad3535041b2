"""Time and memory of every registered norm against the convolution, the published form of AN and self-attention.

    python benchmarks/norms.py [--quick] [--json FILE] [--plot FILE]

float32, training mode unless said otherwise, gradients to input and parameters; medians of interleaved runs, and of
several fresh processes (where a process gets its memory decides as much as chance in time); the allocator keeps what
is freed, as in ``cli.py``. Peak memory beyond the input of one training step, each in a fresh process. What cannot be
had is said instead of a number.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parent))
from baselines import gigabytes_needed, make

from lit_an.allocator import keep_freed_memory
from lit_an.files import replacing
from lit_an.norms import NORMS

CONVOLUTION, PUBLISHED, WRITTEN_OUT = "3×3 convolution", "published form", "self-attention, written out"
# (channels, batch, side)
WIDE = [(128, 8, 32), (128, 8, 64), (256, 8, 32), (256, 8, 64)]
NARROW = [(32, 1, 64), (32, 4, 128), (32, 1, 256), (32, 1, 512), (64, 1, 64), (64, 4, 128), (64, 1, 256), (64, 1, 512)]
PAPER = [(32, 1, 128), (32, 1, 256), (32, 1, 512), (32, 1, 1024)]
QUICK = [(128, 8, 32), (32, 1, 128), (32, 1, 256)]
# Milliseconds on one 2080 Ti, forward, of the authors' table: another machine's.
AUTHORS = {128: (0.73, 5.21), 256: (2.24, 79.42), 512: (9.46, None), 1024: (37.68, None)}
SECONDS_ALLOWED = 4.0  # for the repeats of one layer at one size in one process
SLOW = 1000.0  # milliseconds; slower ones are measured in one process only


def step(layer: nn.Module, x: Tensor, backward: bool) -> float:
    """Milliseconds of one pass."""
    condition = torch.zeros(len(x), 1)
    start = time.perf_counter()
    with torch.set_grad_enabled(backward):
        y = layer(x) if isinstance(layer, nn.Conv2d) else layer(x, condition)
    if backward:
        y.backward(torch.ones_like(y))
    elapsed = 1000 * (time.perf_counter() - start)
    x.grad = None
    layer.zero_grad(set_to_none=True)
    return elapsed


def times(names: list[str], case: tuple[int, int, int], repeats: int) -> dict[str, dict[str, Any]]:
    """Milliseconds forward in evaluation and training mode and of a training step, for each layer."""
    channels, batch, side = case
    torch.manual_seed(0)
    x = torch.randn(batch, channels, side, side, requires_grad=True)
    layers, results = {}, {}
    available = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES") / 1e9
    seconds = {}
    for name in names:
        needed = gigabytes_needed(name, batch, channels, side)
        if needed > 0.8 * available:
            results[name] = {"note": f"not measurable: out of memory (needs {needed:.0f} GB)"}
            continue
        layers[name] = make(name, channels)
        seconds[name] = step(layers[name], x, backward=True) / 1000
    measured: dict[str, dict[str, list[float]]] = {
        name: {"evaluation": [], "forward": [], "step": []} for name in layers
    }
    for repeat in range(repeats):
        for name, layer in layers.items():
            if repeat > 0 and 2 * seconds[name] * repeat > SECONDS_ALLOWED:
                continue  # slow ones are measured less often, the slowest once
            measured[name]["step"].append(step(layer, x, backward=True))
            measured[name]["forward"].append(_forward(layer, x))
            layer.eval()
            measured[name]["evaluation"].append(step(layer, x, backward=False))
            layer.train()
    for name, lists in measured.items():
        results[name] = {kind: statistics.median(values) for kind, values in lists.items()}
    return results


def times_of_processes(
    names: list[str], case: tuple[int, int, int], repeats: int, processes: int
) -> dict[str, dict[str, Any]]:
    """``times`` in several fresh processes: medians of all, and ratios within each to convolution and AN."""
    runs: list[dict[str, dict[str, Any]]] = []
    for _ in range(processes):
        wanted = [
            name
            for name in names
            if not runs or name in (CONVOLUTION, "attentive") or runs[0][name].get("step", SLOW) < SLOW
        ]
        asked = json.dumps({"names": wanted, "case": case, "repeats": repeats})
        runs.append(json.loads(subprocess.check_output([sys.executable, __file__, "--times-of", asked], text=True)))
    for run in runs:
        for row in run.values():
            if "step" in row:
                row["by_convolution"] = row["step"] / run[CONVOLUTION]["step"]
                row["by_attentive"] = row["step"] / run["attentive"]["step"]
                row["evaluation_by_forward"] = row["evaluation"] / row["forward"]
    results: dict[str, dict[str, Any]] = {}
    for name, first in runs[0].items():
        rows = [run[name] for run in runs if name in run]
        results[name] = {
            key: value if isinstance(value, str) else statistics.median(row[key] for row in rows)
            for key, value in first.items()
        }
    return results


def _forward(layer: nn.Module, x: Tensor) -> float:
    condition = torch.zeros(len(x), 1)
    start = time.perf_counter()
    layer(x) if isinstance(layer, nn.Conv2d) else layer(x, condition)
    return 1000 * (time.perf_counter() - start)


def memory_of(name: str, case: tuple[int, int, int], training: bool) -> float | None:
    """Peak memory beyond the input of one step, in units of the input, in a fresh process; None if it cannot be had."""
    channels, batch, side = case
    if gigabytes_needed(name, batch, channels, side) > 12:
        return None
    argv = [sys.executable, __file__, "--memory-of", name, *map(str, case), "train" if training else "eval"]
    completed = subprocess.run(argv, capture_output=True, text=True)
    return float(completed.stdout) if completed.returncode == 0 else None


def measure_memory(name: str, case: tuple[int, int, int], training: bool) -> float:
    """The same, in this process, which has done nothing else."""
    channels, batch, side = case
    layer = make(name, channels).train(training)
    step(layer, torch.randn(1, channels, 16, 16, requires_grad=True), training)  # threads, code, small buffers
    x = torch.randn(batch, channels, side, side, requires_grad=training)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from here
    held = _resident("VmRSS")
    step(layer, x, training)
    return (_resident("VmHWM") - held) / (x.numel() * x.element_size())


def _resident(which: str) -> int:
    """Bytes of this process in memory, now (VmRSS) or at most (VmHWM)."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(which))
    return 1024 * int(line.split()[1])


def shown(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def print_case(case: tuple[int, int, int], results: dict[str, dict[str, Any]]) -> None:
    channels, batch, side = case
    print(f"\nC = {channels}, batch {batch}, {side}×{side}")
    print(f"  {'':28}{'eval ms':>10}{'forward ms':>12}{'step ms':>10}{'÷ conv':>8}{'÷ AN':>8}")
    for name, row in results.items():
        if "note" in row:
            print(f"  {name:28}{row['note']}")
            continue
        numbers = f"{row['evaluation']:10.2f}{row['forward']:12.2f}{row['step']:10.2f}"
        print(f"  {name:28}{numbers}{row['by_convolution']:8.2f}{row['by_attentive']:8.2f}", flush=True)


def machine() -> dict[str, Any]:
    cpu = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.processor(),
    )
    return {"cpu": cpu, "threads": torch.get_num_threads(), "torch": torch.__version__, "dtype": "float32"}


def plot(report: list[dict[str, Any]], path: Path) -> None:
    """Time of a training step against side length, log-log, C = 32, batch 1."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.5))
    rows = sorted((row for row in report if row["case"][:2] == [32, 1]), key=lambda row: row["case"][2])
    for name in (CONVOLUTION, "attentive", "attentive, plain autograd", PUBLISHED, "self_attention", WRITTEN_OUT):
        points = [
            (row["case"][2], row["layers"][name]["step"]) for row in rows if "step" in row["layers"].get(name, {})
        ]
        if points:
            axes.loglog(*zip(*points, strict=True), marker="o", label=name)
    axes.set(xlabel="side of the feature map", ylabel="training step, ms", title="C = 32, batch 1, float32")
    axes.set_xticks([row["case"][2] for row in rows], [str(row["case"][2]) for row in rows])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend()
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120, bbox_inches="tight")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="three sizes, few repeats, no memory")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--json", type=Path, help="write all numbers to this file")
    parser.add_argument("--plot", type=Path, help="write the plot to this PNG")
    parser.add_argument("--processes", type=int, default=3)
    parser.add_argument("--memory-of", nargs=5, help=argparse.SUPPRESS)
    parser.add_argument("--times-of", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.times_of:
        keep_freed_memory()
        print(json.dumps(times(**options.times_of)))
        return
    if options.memory_of:
        name, *case, mode = options.memory_of
        print(measure_memory(name, tuple(map(int, case)), mode == "train"))  # type: ignore[arg-type]
        return
    print(machine())
    names = [CONVOLUTION, *NORMS.names(), "attentive, plain autograd", WRITTEN_OUT, PUBLISHED]
    cases = QUICK if options.quick else list(dict.fromkeys([*WIDE, *NARROW, *PAPER]))
    report = []
    for case in cases:
        processes = 2 if options.quick else options.processes
        results = times_of_processes(names, case, 5 if options.quick else options.repeats, processes)
        print_case(case, results)
        if not options.quick:
            for name in ("attentive", PUBLISHED):
                for training in (True, False):
                    kind = "memory_step" if training else "memory_evaluation"
                    results[name][kind] = memory_of(name, case, training)
            row = results["attentive"]
            memory = " / ".join(shown(row[kind], 1) for kind in ("memory_step", "memory_evaluation"))
            print(
                f"  AN's peak memory, × input, step / evaluation: {memory}; published form's step: "
                f"{shown(results[PUBLISHED]['memory_step'], 1)}"
            )
        report.append({"case": list(case), "layers": results})
        if options.json:  # after each case, so that a stopped benchmark leaves what it has
            with replacing(options.json) as temporary:
                content = {"machine": machine(), "report": report}
                temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False))
        if case in PAPER:
            authors = AUTHORS[case[2]]
            print(
                f"  the authors', another machine (2080 Ti), forward: AN {authors[0]} ms, "
                f"self-attention {authors[1] or 'out of memory'}"
            )
    if options.plot:
        plot(report, options.plot)


if __name__ == "__main__":
    main()

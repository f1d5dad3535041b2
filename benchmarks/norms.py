"""Time and memory of every registered norm against the convolution, the published form of AN and self-attention.

    python benchmarks/norms.py [--quick] [--json FILE] [--plot FILE]

float32, training mode unless said otherwise, gradients to input and parameters; medians of interleaved runs. Two
clocks: that on the wall, in several fresh processes (where a process gets its memory decides as much as chance in
time), and in one more process the processors' time of all threads, whose waiting threads sleep: on a machine that
others use too, the first says what they left, the second what the work takes. The allocator keeps what is freed, as in
``cli.py``. Peak memory beyond the input of one training step, each in a fresh process. What cannot be had is said
instead of a number; what takes longer than two seconds is measured once.
"""

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parent.parent))
from lit_an.command_line.allocator import keep_freed_memory
from lit_an.device_checks.layer_forms import gigabytes_needed, make
from lit_an.files import replacing
from lit_an.norms import NORMS

CONVOLUTION, PUBLISHED, WRITTEN_OUT = "3×3 convolution", "published form", "self-attention, written out"
ATTENTION = ("self_attention", WRITTEN_OUT)
BLOCKS, PLAIN = "attentive, by blocks", "attentive, plain autograd"
# (channels, batch, side)
WIDE = [(128, 8, 32), (128, 8, 64), (256, 8, 32), (256, 8, 64)]
NARROW = [(32, 1, 64), (32, 4, 128), (32, 1, 256), (32, 1, 512), (64, 1, 64), (64, 4, 128), (64, 1, 256), (64, 1, 512)]
PAPER = [(32, 1, 128), (32, 1, 256), (32, 1, 512), (32, 1, 1024)]
QUICK = [(128, 8, 32), (32, 1, 128), (32, 1, 256)]
# Milliseconds on one 2080 Ti, forward, of the authors' table: another machine's.
AUTHORS = {128: (0.73, 5.21), 256: (2.24, 79.42), 512: (9.46, None), 1024: (37.68, None)}
SECONDS_ALLOWED = 1.5  # for the repeats of one layer at one size in one process
SLOW, LONGEST = 2000.0, 10000.0  # milliseconds; slower ones are measured once in a process, or in one process only
MOST_GIGABYTES = 8.0
LARGEST_ATTENTION = 256  # the side of the largest map for self-attention, which takes minutes beyond


def condition_for(layer: nn.Module, x: Tensor) -> Tensor:
    """A vector of width 1, or the mask of a map without a hole."""
    masked = getattr(layer, "condition_kind", "none") == "mask"
    return torch.zeros(len(x), 1, *x.shape[2:]) if masked else torch.zeros(len(x), 1)


def step(layer: nn.Module, x: Tensor, backward: bool, clock: Callable[[], float] = time.perf_counter) -> float:
    """Milliseconds of one pass."""
    condition = condition_for(layer, x)
    start = clock()
    with torch.set_grad_enabled(backward):
        y = layer(x) if isinstance(layer, nn.Conv2d) else layer(x, condition)
    if backward:
        y.backward(torch.ones_like(y))
    elapsed = 1000 * (clock() - start)
    x.grad = None
    layer.zero_grad(set_to_none=True)
    return elapsed


def times(names: list[str], case: tuple[int, int, int], repeats: int, processor_time: bool) -> dict[str, Any]:
    """Milliseconds forward in evaluation and training mode and of a training step, for each layer."""
    channels, batch, side = case
    clock = time.process_time if processor_time else time.perf_counter
    torch.manual_seed(0)
    x = torch.randn(batch, channels, side, side, requires_grad=True)
    layers, measured, results = {}, {}, {}
    for name in names:
        if note := _cannot(name, case):
            results[name] = {"note": note}
            continue
        layers[name] = make(name, channels)
        first = step(layers[name], x, True, clock)
        slow = first > SLOW
        measured[name] = {"evaluation": [], "forward": [], "step": [first] if slow else []}
        if slow:  # once is enough
            _measure(layers.pop(name), x, measured[name], clock, with_step=False)
    spent = dict.fromkeys(layers, 0.0)
    for repeat in range(repeats):
        for name, layer in layers.items():
            if repeat < 2 or spent[name] * (repeat + 1) / repeat < SECONDS_ALLOWED:
                start = time.perf_counter()
                _measure(layer, x, measured[name], clock)
                spent[name] += time.perf_counter() - start
    for name, lists in measured.items():
        results[name] = {kind: statistics.median(values) for kind, values in lists.items()}
    return results


def _measure(
    layer: nn.Module, x: Tensor, lists: dict[str, list[float]], clock: Callable[[], float], with_step: bool = True
) -> None:
    if with_step:
        lists["step"].append(step(layer, x, True, clock))
    start = clock()
    layer(x) if isinstance(layer, nn.Conv2d) else layer(x, condition_for(layer, x))
    lists["forward"].append(1000 * (clock() - start))
    layer.eval()
    lists["evaluation"].append(step(layer, x, False, clock))
    layer.train()


def _cannot(name: str, case: tuple[int, int, int]) -> str | None:
    """Why a layer is not measured, if so."""
    channels, batch, side = case
    needed = gigabytes_needed(name, batch, channels, side)
    available = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES") / 1e9
    if needed > min(MOST_GIGABYTES, 0.8 * available):
        return f"not run: needs {needed:.0f} GB"
    if name == "self_attention" and side > LARGEST_ATTENTION:
        return "not run: takes minutes"
    return None


def times_of_processes(
    names: list[str], case: tuple[int, int, int], repeats: int, processes: int
) -> dict[str, dict[str, Any]]:
    """``times`` in fresh processes: medians, and ratios within each to convolution and AN; by both clocks."""
    runs: list[dict[str, dict[str, Any]]] = []
    for index in range(processes + 1):
        again = (BLOCKS, PUBLISHED, *(ATTENTION if index == processes else ()))
        wanted = [
            name
            for name in names
            if not runs
            or name in (CONVOLUTION, "attentive")
            or (name in again and runs[0][name].get("step", math.inf) < LONGEST)
        ]
        asked = {"names": wanted, "case": case, "repeats": repeats, "processor_time": index == processes}
        waiting = {"OMP_WAIT_POLICY": "passive"} if index == processes else {}
        argv = [sys.executable, __file__, "--times-of", json.dumps(asked)]
        runs.append(json.loads(subprocess.check_output(argv, text=True, env={**os.environ, **waiting})))
    for run in runs:
        for row in run.values():
            if "step" in row:
                row["by_convolution"] = row["step"] / run[CONVOLUTION]["step"]
                row["by_attentive"] = row["step"] / run["attentive"]["step"]
                row["evaluation_by_forward"] = row["evaluation"] / row["forward"]
    results: dict[str, dict[str, Any]] = {}
    for name, first in runs[0].items():
        rows = [run[name] for run in runs[:-1] if name in run]
        results[name] = {
            key: value if isinstance(value, str) else statistics.median(row[key] for row in rows)
            for key, value in first.items()
        }
        results[name] |= {f"processor_{key}": value for key, value in runs[-1].get(name, {}).items()}
    return results


def memory_of(name: str, case: tuple[int, int, int], training: bool) -> float | None:
    """Peak memory beyond the input of one step, in units of the input, in a fresh process; None if it cannot be had."""
    if _cannot(name, case):
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
    print(f"\nC = {channels}, batch {batch}, {side}×{side}{'':16}on the wall{'':44}processors")
    heads = f"{'eval ms':>10}{'forward ms':>12}{'step ms':>10}{'÷ conv':>8}{'÷ AN':>8}"
    print(f"  {'':28}{heads}{'step ms':>12}{'÷ conv':>8}{'÷ AN':>8}")
    for name, row in results.items():
        if "note" in row:
            print(f"  {name:28}{row['note']}")
            continue
        numbers = f"{row['evaluation']:10.2f}{row['forward']:12.2f}{row['step']:10.2f}"
        numbers += f"{row['by_convolution']:8.2f}{row['by_attentive']:8.2f}"
        if "processor_step" in row:
            numbers += f"{row['processor_step']:12.2f}{row['processor_by_convolution']:8.2f}"
            numbers += f"{row['processor_by_attentive']:8.2f}"
        print(f"  {name:28}{numbers}", flush=True)


def machine() -> dict[str, Any]:
    cpu = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.processor(),
    )
    return {"cpu": cpu, "threads": torch.get_num_threads(), "torch": torch.__version__, "dtype": "float32"}


def plot(report: list[dict[str, Any]], path: Path) -> None:
    """Processors' time of a training step against side length, log-log, C = 32, batch 1."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.5))
    rows = sorted((row for row in report if row["case"][:2] == [32, 1]), key=lambda row: row["case"][2])
    for name in (CONVOLUTION, "attentive", BLOCKS, PUBLISHED, *ATTENTION):
        key = "processor_step"
        points = [(row["case"][2], row["layers"][name][key]) for row in rows if key in row["layers"].get(name, {})]
        if points:
            axes.loglog(*zip(*points, strict=True), marker="o", label=name)
    axes.set(
        xlabel="side of the feature map", ylabel="training step, ms of processors", title="C = 32, batch 1, float32"
    )
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
    parser.add_argument("--processes", type=int, default=2, help="by the clock on the wall")
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
    names = [CONVOLUTION, *NORMS.names(), BLOCKS, PLAIN, WRITTEN_OUT, PUBLISHED]
    cases = QUICK if options.quick else list(dict.fromkeys([*WIDE, *NARROW, *PAPER]))
    report = []
    for case in cases:
        processes = 1 if options.quick else options.processes
        results = times_of_processes(names, case, 5 if options.quick else options.repeats, processes)
        print_case(case, results)
        if not options.quick:
            for name in ("attentive", BLOCKS, PUBLISHED) if case in PAPER else ("attentive",):
                for training in (True, False):
                    kind = "memory_step" if training else "memory_evaluation"
                    results[name][kind] = memory_of(name, case, training)
                memory = " / ".join(shown(results[name][kind], 1) for kind in ("memory_step", "memory_evaluation"))
                print(f"  peak memory, × input, step / evaluation: {memory}  ({name})", flush=True)
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

"""Times and memory of what runs on a device."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Measured:
    """What one call takes.

    Args:
        seconds: median over calls, of the device.
        peak: bytes on a GPU beyond what was allocated before; NaN elsewhere.
    """

    seconds: float
    peak: float


def measured(call: Callable[[], object], device: torch.device, seconds: float, fewest: int = 3) -> Measured:
    """Calls something again and again after a first time that is not counted, which may compile.

    Args:
        call: queues work on the device.
        device: where it works.
        seconds: to go on for, at most; one call that takes longer is enough.
        fewest: calls that are made otherwise.
    """
    on_gpu = device.type == "cuda"
    call()
    peak = float("nan")
    if on_gpu:
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        call()
        torch.cuda.synchronize(device)
        peak = float(torch.cuda.max_memory_allocated(device) - before)
    found: list[float] = []
    end = time.perf_counter() + seconds
    while len(found) < fewest or time.perf_counter() < end:
        found.append(_on_gpu(call, device) if on_gpu else _on_cpu(call))
        if sum(found) > seconds:
            break
    return Measured(statistics.median(found), peak)


def _on_cpu(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _on_gpu(call: Callable[[], object], device: torch.device) -> float:
    """By the device's own clock."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    with torch.cuda.device(device):
        start.record()
        call()
        end.record()
    end.synchronize()
    return start.elapsed_time(end) / 1000

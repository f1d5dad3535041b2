"""What this machine is: processor, cores, GPUs and the system."""

import os
import platform
from pathlib import Path
from typing import Any

import torch


def machine_facts(device: torch.device) -> dict[str, Any]:
    """What a figure that was measured on a device has to be read with.

    Returns:
        ``device``, the name of the GPU or ``cpu``; ``cpu``, ``cores``, ``threads`` of PyTorch and ``system``; of a GPU
        also ``memory`` in bytes, ``capability`` and the number of ``gpus``.
    """
    facts: dict[str, Any] = {
        "device": device.type,
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": platform.platform(),
    }
    if device.type == "cuda":
        of_gpu = torch.cuda.get_device_properties(device)
        facts |= {
            "device": of_gpu.name,
            "memory": of_gpu.total_memory,
            "capability": f"{of_gpu.major}.{of_gpu.minor}",
            "gpus": torch.cuda.device_count(),
        }
    return facts


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()

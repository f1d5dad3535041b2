"""The memory that a process has used."""

import resource
import sys

import torch


def peak_memory(device: torch.device) -> int:
    """Bytes: on a GPU what PyTorch had allocated at most, on a CPU the largest resident set of the process."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(kilobytes) if sys.platform == "darwin" else int(kilobytes) * 1024

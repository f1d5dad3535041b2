"""Makes the C library's allocator keep freed memory.

By default glibc gives large blocks back to the operating system at once, and the next iteration of a training run
gets them again as fresh pages, each to be faulted in and zeroed. On a CPU that costs as much as the arithmetic of a
layer; PyTorch's own allocator for GPUs keeps its blocks for the same reason.
"""

import ctypes
import os
import platform

# Numbers of malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGEST_KEPT = 1 << 30  # bytes; larger blocks are maps of their own and are given back when freed
_LARGEST_IN_OLD_VERSIONS = 32 << 20


def keep_freed_memory() -> bool:
    """Lets this process keep freed memory, up to the largest amount that it has used.

    Does nothing if the C library is not glibc, or if the environment configures glibc's allocator.

    Returns:
        Whether the allocator was configured.

    Source: malloc(3), mallopt(3).
    """
    said = any(name.startswith("MALLOC_") for name in os.environ) or "malloc" in os.environ.get("GLIBC_TUNABLES", "")
    if said or platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    taken = mallopt(_MMAP_THRESHOLD, _LARGEST_KEPT) or mallopt(_MMAP_THRESHOLD, _LARGEST_IN_OLD_VERSIONS)
    return bool(taken and mallopt(_TRIM_THRESHOLD, _LARGEST_KEPT))

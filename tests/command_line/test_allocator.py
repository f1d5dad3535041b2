"""Freed memory stays with the process: a large block that is freed and asked for again is not faulted in again."""

import os
import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
import torch
from lit_an.command_line.allocator import keep_freed_memory

print(keep_freed_memory())
elements = 16 << 20  # 64 MiB, more than glibc would ever keep by itself
for _ in range(8):  # the first blocks may be a little too small for the next one of their size
    torch.empty(elements).fill_(1)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(8):
    torch.empty(elements).fill_(1)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def run(**environment: str) -> tuple[bool, int]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    output = subprocess.check_output([sys.executable, "-c", FAULTS], text=True, env=clean | environment)
    did, faults = output.split()
    return did == "True", int(faults)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_what_is_freed_is_kept() -> None:
    did, faults = run()
    assert did
    assert faults < 8 * 16384 / 4  # 16384 pages of 4 KiB a time, else


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_a_user_who_sets_the_allocator_is_left_alone() -> None:
    did, faults = run(MALLOC_MMAP_THRESHOLD_="1048576")
    assert not did
    assert faults > 8 * 16384 / 2

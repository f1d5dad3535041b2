"""A library that stands in for NVIDIA's driver, as far as the autograd engine asks it.

Before a backward pass the engine goes through all devices and looks for those with a context. Without a driver the
count of devices is 0, and that question is an error. The library has the functions of the driver that PyTorch links
(each fails, but for the one that says that a device has no context) and PyTorch's own count of devices, 0 until
``pretend`` sets it.
"""

import ctypes
import os
import subprocess
from pathlib import Path

import torch

_LIBRARY = "LIT_AN_STAND_IN"
_DEVICES = 127  # as many as PyTorch's guard for tensors without a device says
_SOURCE = """
int cuDevicePrimaryCtxGetState(int device, unsigned *flags, int *active) { *flags = 0; *active = 0; return 0; }
int stand_in_devices = 0;
signed char _ZN3c104cuda12device_countEv(void) { return stand_in_devices; }
"""
_NO_DEVICE = 100  # CUDA_ERROR_NO_DEVICE


def build(folder: Path) -> Path:
    """Compiles the library with the C compiler of the machine, for the symbols that this PyTorch links."""
    linked = Path(torch.__file__).parent / "lib/libcaffe2_nvrtc.so"
    command = ["nm", "-D", "--undefined-only", str(linked)]
    symbols = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    names = sorted({name for name in symbols if name.startswith("cu")} - {"cuDevicePrimaryCtxGetState"})
    source, library = folder / "stand_in.c", folder / "libstand_in.so"
    source.write_text(_SOURCE + "".join(f"int {name}(void) {{ return {_NO_DEVICE}; }}\n" for name in names))
    command = ["cc", "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1", "-o", str(library), str(source)]
    subprocess.run(command, check=True)
    return library


def environment(library: Path) -> dict[str, str]:
    """That of a process in which ``pretend`` is called."""
    return {**os.environ, "LD_PRELOAD": str(library), _LIBRARY: str(library)}


def pretend() -> None:
    """Has this process answer the engine's question; no other function of CUDA works."""
    torch._C._ensureCUDADeviceGuardSet()
    ctypes.c_int.in_dll(ctypes.CDLL(os.environ[_LIBRARY]), "stand_in_devices").value = _DEVICES

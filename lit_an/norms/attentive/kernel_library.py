"""The C library of the compiled path: built at its first use by the system's compiler, kept in the cache, loaded.

Nothing is compiled at import. Where there is no compiler, no OpenMP runtime that PyTorch runs on, or where the build
fails, one line of the log says so, and ``dispatch.py`` takes the path of blocks. ``LIT_AN_KERNEL=0`` in the environment
switches the library off, ``CC`` chooses a compiler.
"""

import ctypes
import hashlib
import logging
import os
import platform
import shlex
import shutil
import subprocess
import sys
import threading
from pathlib import Path

from lit_an.files import cache_folder, replacing

_LOG = logging.getLogger(__name__)
_SOURCES = Path(__file__).parent / "kernel"
_FLAGS = ["-O3", "-march=native", "-ffp-contract=fast", "-fno-math-errno", "-std=gnu11", "-fPIC", "-shared"]
_DIGEST = 32  # bytes behind the library proper: its sha256
_COMPILERS = ("cc", "gcc", "clang")


class _UnavailableError(Exception):
    """There will be no library in this process; the message says why."""


class _State:
    """What this process has found out; a forked child starts with what its parent knew, and a lock of its own."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.tried = False
        self.library: ctypes.CDLL | None = None
        self.parallel = 0  # the address of GOMP_parallel
        self.forked = False

    def after_fork(self) -> None:
        self.lock = threading.Lock()
        self.forked = True


_STATE = _State()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_STATE.after_fork)


def library() -> ctypes.CDLL | None:
    """The library, built and loaded at the first call of a process, or None."""
    if not _STATE.tried:
        with _STATE.lock:
            if not _STATE.tried:
                _STATE.library = _try()
                _STATE.tried = True
    return _STATE.library


def parallel() -> int:
    """The address of the runtime's ``GOMP_parallel``, for a library that was loaded."""
    return _STATE.parallel


def forked() -> bool:
    """Whether this process is a fork: GNU's OpenMP cannot start threads there if its parent had some."""
    return _STATE.forked


def _try() -> ctypes.CDLL | None:
    if os.environ.get("LIT_AN_KERNEL") == "0":
        return None
    try:
        _STATE.parallel = _find_parallel()
        compiler = _find_compiler()
        return _load(_built(compiler), compiler)
    except (_UnavailableError, OSError, subprocess.SubprocessError) as error:
        _LOG.warning("attentive normalization runs without its compiled kernel, slower: %s", error)
        return None


def _find_parallel() -> int:
    """``GOMP_parallel`` of PyTorch's OpenMP runtime, which is in this process; GNU's, LLVM's and Intel's have it."""
    maps = Path("/proc/self/maps")
    if sys.platform != "linux" or not maps.exists():
        raise _UnavailableError("it is for Linux")
    for path in dict.fromkeys(line.split()[-1] for line in maps.read_text().splitlines() if "omp" in line):
        if "/" in path and ("libgomp" in path or "libomp" in path or "libiomp" in path):
            function = getattr(ctypes.CDLL(path), "GOMP_parallel", None)
            if function is not None:
                return ctypes.cast(function, ctypes.c_void_p).value or 0
    raise _UnavailableError("PyTorch runs on no OpenMP runtime known here")


def _find_compiler() -> list[str]:
    """The command of the first compiler there is."""
    asked = shlex.split(os.environ.get("CC", ""))
    for command in ([asked] if asked else []) + [[name] for name in _COMPILERS]:
        if shutil.which(command[0]):
            return command
    raise _UnavailableError(f"no C compiler (looked for $CC, {', '.join(_COMPILERS)})")


def _sources() -> list[Path]:
    return sorted(_SOURCES.glob("*.[ch]"))


def _built(compiler: list[str]) -> Path:
    """The place of the library in the cache: a name for these sources, flags, compiler and processor."""
    version = subprocess.run([*compiler, "--version"], capture_output=True, text=True, check=True).stdout
    processor = platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():  # -march=native: a shared home may be seen by different nodes
        wanted = ("model name", "flags", "Features")
        lines = [line for line in information.read_text().splitlines() if line.startswith(wanted)]
        processor += "".join(dict.fromkeys(lines))
    parts = [*(path.read_text(encoding="utf-8") for path in _sources()), *_FLAGS, *compiler, version, processor]
    name = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]
    return cache_folder() / "kernels" / f"{name}.so"


def _load(path: Path, compiler: list[str]) -> ctypes.CDLL:
    if not _intact(path):
        _compile(path, compiler)
    found = ctypes.CDLL(str(path))
    for name in ("scratch_bytes", "block_positions", "strip_rows"):
        getattr(found, name).restype = ctypes.c_long
    return found


def _intact(path: Path) -> bool:
    """Whether the file is there and whole; loading a damaged one could end the process."""
    if not path.exists():
        return False
    content = path.read_bytes()
    return hashlib.sha256(content[:-_DIGEST]).digest() == content[-_DIGEST:]


def _compile(path: Path, compiler: list[str]) -> None:
    _LOG.info("compiling the kernel of attentive normalization, once, to %s", path)
    with replacing(path) as temporary:
        argv = [*compiler, *_FLAGS, str(_SOURCES / "attentive.c"), "-o", str(temporary), "-lm"]
        done = subprocess.run(argv, capture_output=True, text=True)
        if done.returncode != 0:
            raise _UnavailableError(f"{shlex.join(argv)} failed: {done.stderr.strip()[-500:]}")
        content = temporary.read_bytes()
        with temporary.open("ab") as file:
            file.write(hashlib.sha256(content).digest())

"""Which code computed something: a hash of the packages, versions of libraries, the state of a git checkout."""

import functools
import hashlib
import platform
import subprocess
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

# Packages whose code decides what a run computes, and the endings of that code.
_PACKAGES, _ENDINGS = ("lit_an", "callbacks"), (".py", ".c", ".h")
_LIBRARIES = ("torch", "pytorch-lightning", "torchmetrics", "numpy")
_ROOT = Path(__file__).parent.parent


@functools.cache
def code_hash(root: Path = _ROOT) -> str:
    """SHA-256 of the code that decides what a run computes, in hexadecimal; tests and docs are no part of it.

    Args:
        root: folder of the packages.
    """
    digest = hashlib.sha256()
    for path in sorted(_sources(root)):
        content = hashlib.sha256(path.read_bytes()).digest()
        digest.update(f"{path.relative_to(root).as_posix()}\0".encode() + content)
    return digest.hexdigest()


def library_versions() -> dict[str, str]:
    """Versions of Python and of the libraries that a run's numbers depend on; those that are not there are absent."""
    found = {"python": platform.python_version()}
    for name in ("lit_an", *_LIBRARIES):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def git_state(root: Path = _ROOT) -> dict[str, str | bool] | None:
    """The commit of the checkout that this code is in, and whether files of it are changed; None outside of one.

    Args:
        root: folder of the packages.
    """
    commit = _git(root, "rev-parse", "HEAD")
    inside = _git(root, "ls-files", "--error-unmatch", "lit_an/__init__.py")
    if commit is None or inside is None:
        return None
    return {"commit": commit, "is_changed": bool(_git(root, "status", "--porcelain", "--untracked-files=no"))}


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=10, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _sources(root: Path) -> Iterator[Path]:
    for package in _PACKAGES:
        yield from (path for path in (root / package).rglob("*") if path.suffix in _ENDINGS)

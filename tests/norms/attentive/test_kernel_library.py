"""The kernel's life on disk: built once, found again, rebuilt when damaged, done without when it cannot be had."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import lit_an.norms.attentive.kernel_library as kernel_library

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.skipif(
    kernel_library.library() is None, reason="needs the compiled kernel: a C compiler, and PyTorch on OpenMP"
)
NORMALIZE = """
import logging, os, torch
logging.basicConfig(level=logging.WARNING)
from lit_an.norms import AttentiveNorm2d
import lit_an.norms.attentive.dispatch as dispatch
norm, x = AttentiveNorm2d(8, num_regions=4), torch.randn(2, 8, 16, 16, requires_grad=True)
torch.nn.init.ones_(norm.residual_scale)
for _ in range(3):
    norm(x).square().sum().backward()
assert torch.isfinite(x.grad).all()
print(dispatch.path_of(x, 4).__name__.rsplit(".", 1)[1])
"""


def python(code: str, cache: Path, **environment: str) -> "subprocess.Popen[str]":
    """A process of its own with a cache of its own."""
    inherited = {name: value for name, value in os.environ.items() if name not in ("CC", "LIT_AN_KERNEL")}
    variables = {**inherited, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(cache), **environment}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", code], env=variables, text=True, **pipes)


def finished(process: "subprocess.Popen[str]") -> tuple[str, str]:
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return output.strip(), errors


def libraries(cache: Path) -> list[Path]:
    return [path for path in (cache / "lit_an" / "kernels").iterdir() if not path.name.startswith(".")]


def test_nothing_is_compiled_at_import(tmp_path: Path) -> None:
    finished(python("import lit_an.norms", tmp_path))
    assert not (tmp_path / "lit_an").exists()


@pytest.mark.slow
def test_two_processes_at_once_then_a_damaged_file(tmp_path: Path) -> None:
    both = [python(NORMALIZE, tmp_path) for _ in range(2)]
    assert [finished(process) for process in both] == [("kernel_path", "")] * 2
    (library,) = libraries(tmp_path)
    whole = library.stat()
    assert finished(python(NORMALIZE, tmp_path)) == ("kernel_path", "")
    assert library.stat().st_mtime_ns == whole.st_mtime_ns, "built again, though it was there"
    os.truncate(library, whole.st_size * 2 // 3)
    assert finished(python(NORMALIZE, tmp_path)) == ("kernel_path", "")
    assert library.stat().st_size == whole.st_size


def test_without_a_compiler_one_line_says_so(tmp_path: Path) -> None:
    output, errors = finished(python(NORMALIZE, tmp_path, PATH=str(tmp_path)))
    assert output == "block_path"
    assert errors.count("without its compiled kernel") == 1
    assert "no C compiler" in errors


def test_a_compiler_that_fails_is_quoted(tmp_path: Path) -> None:
    output, errors = finished(python(NORMALIZE, tmp_path, CC="cc -include surely/not/there.h"))
    assert output == "block_path"
    assert errors.count("without its compiled kernel") == 1
    assert "surely/not/there.h" in errors


def test_the_environment_switches_it_off(tmp_path: Path) -> None:
    assert finished(python(NORMALIZE, tmp_path, LIT_AN_KERNEL="0")) == ("block_path", "")
    assert not (tmp_path / "lit_an").exists()


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    """The kernel is then compiled for this process alone."""
    (tmp_path / "lit_an").write_text("a file where the folder should be")
    output, errors = finished(python(NORMALIZE, tmp_path))
    assert output == "kernel_path"
    assert errors.count("there is no cache folder") == 1
    assert (tmp_path / "lit_an").read_text() == "a file where the folder should be"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_of_a_process_that_used_it(tmp_path: Path) -> None:
    code = f"""
import torch
torch.set_num_threads(2)
{NORMALIZE}
child = os.fork()
if child == 0:
    x.grad = None
    dispatch.attentive_normalize(x, torch.eye(8), torch.ones(1, 4, 8), None, 0.1, torch.ones(())).sum().backward()
    os._exit(0 if torch.isfinite(x.grad).all() else 1)
assert os.waitpid(child, 0)[1] == 0
norm(x).sum().backward()
"""
    assert finished(python(code, tmp_path))[0] == "kernel_path"

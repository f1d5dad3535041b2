"""Files of ``benchmarks/`` as modules: they are scripts, and no package."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


def load_benchmark(name: str) -> Any:
    """``benchmarks/NAME.py`` as a new module. What it sets for its process (path, environment) is taken back."""
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        patch.setenv("OMP_WAIT_POLICY", "passive")
        spec.loader.exec_module(module)
    return module

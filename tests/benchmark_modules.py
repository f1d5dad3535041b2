"""Programs of ``benchmarks/`` as modules."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


def loaded(name: str) -> Any:
    """A program whose ``main`` has not run; what it sets for the whole process as it is imported is set back."""
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", BENCHMARKS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        patch.setenv("OMP_WAIT_POLICY", "passive")
        spec.loader.exec_module(module)
    return module

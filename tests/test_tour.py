"""The notebook runs from its first cell to its last, and what it shows is what it said when it was run."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
TOUR = ROOT / "examples" / "tour.ipynb"


def _cells() -> list[dict[str, Any]]:
    cells: list[dict[str, Any]] = json.loads(TOUR.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def _said(cell: dict[str, Any]) -> str:
    return "".join("".join(output.get("text", "")) for output in cell["outputs"])


def test_the_cells_run_and_print_what_the_notebook_shows() -> None:
    pytest.importorskip("skimage", reason="the extra inpainting is not installed")
    pytest.importorskip("matplotlib", reason="the extra ablation is not installed")
    program = "\n\n".join("".join(cell["source"]) for cell in _cells())
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    told = "".join(_said(cell) for cell in _cells())
    numbers = "0123456789."  # the last digits differ between machines
    assert done.stdout.translate(dict.fromkeys(map(ord, numbers))) == told.translate(dict.fromkeys(map(ord, numbers)))


def test_every_cell_was_run_in_order_and_without_an_error() -> None:
    cells = _cells()
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert not any(output["output_type"] == "error" for output in outputs)
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 5
    assert "/root" not in TOUR.read_text(encoding="utf-8")

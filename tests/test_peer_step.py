"""The benchmark beside BigGAN-PyTorch without a checkout of it: one sentence."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parent.parent / "benchmarks/peer_step.py"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["{folder}"], "has no layers.py; give the folder of a checkout of github.com/ajbrock/BigGAN-PyTorch"),
        (["{folder}", "--rounds=0"], "--rounds must be at least 1, got 0"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_measured(arguments: list[str], sentence: str, tmp_path: Path) -> None:
    (tmp_path / "BigGAN.py").touch()
    command = [sys.executable, BENCHMARK, *(argument.format(folder=tmp_path) for argument in arguments)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert result.returncode == 2
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""

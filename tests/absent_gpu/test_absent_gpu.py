"""On a CUDA device that is not there: everything computes on it, and an iteration neither reads from it nor sends."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.absent_gpu.stand_in import build, environment
from tests.tasks.test_no_synchronization import KINDS

ROOT = Path(__file__).parent.parent.parent
# Metrics give numbers of Python, or check their inputs: they read, and here that is where they end.
READING_METRICS = {
    "frechet_distance": "lit_an/metrics/frechet.py",
    "kernel_distance": "lit_an/metrics/kernel.py",
    "manifold_scores": "lit_an/metrics/manifold.py",
    "inception_score": "lit_an/metrics/inception.py",
    "image_scores": "lit_an/metrics/image_scores.py",
    "DatasetRegionScores": "lit_an/metrics/layout/contingency.py",
    "ImageRegionScores": "lit_an/metrics/layout/contingency.py",
    "RegionUse": "lit_an/metrics/layout/accumulated.py",
    "LayoutStability": "lit_an/metrics/layout/contingency.py",
}
READS = ("DataDependentOutputException", "DynamicOutputShapeException")
FAST = [["penalties", "bf16-mixed"], ["inpainting", "32-true"]]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU: lit-an gpu compares numbers on it")
    if not torch.backends.cuda.is_built():
        pytest.skip("this build of PyTorch has no CUDA")
    for program in ("cc", "nm"):
        if shutil.which(program) is None:
            pytest.skip(f"the library that stands in for the driver needs {program}")
    return build(tmp_path_factory.mktemp("stand_in"))


def run(library: Path, what: str, settings: str) -> dict[str, str]:
    command = [sys.executable, "-m", "tests.absent_gpu.child", what, settings]
    process = subprocess.run(command, env=environment(library), cwd=ROOT, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr[-3000:]
    found: dict[str, str] = json.loads(process.stdout)
    return found


def check_cases(found: dict[str, str]) -> None:
    assert len(found) > 50
    for name, problem in found.items():
        kind, _, metric = name.rpartition(",")[0].partition(": ")
        if kind == "metrics" and metric in READING_METRICS:
            assert problem.startswith(READS), (name, problem)
            assert f"({READING_METRICS[metric]}" in problem, (name, problem)
        else:
            assert problem == "", name


def test_everything_computes_on_the_device_alone(library: Path) -> None:
    """Each norm, network, loss, augmentation and metric, with its gradients."""
    check_cases(run(library, "cases", "float32"))


@pytest.mark.slow  # half a minute each
@pytest.mark.parametrize("autocast", ["bfloat16", "float16"])
def test_everything_computes_on_the_device_alone_in_half_precision(autocast: str, library: Path) -> None:
    check_cases(run(library, "cases", autocast))


@pytest.mark.slow
def test_an_iteration_stays_on_the_device(library: Path) -> None:
    """Lightning's loop, with an optimizer, an average of weights and autocast."""
    assert run(library, "trainings", json.dumps(FAST)) == dict.fromkeys(map(", ".join, FAST), "")


@pytest.mark.slow  # two minutes
def test_every_iteration_stays_on_the_device(library: Path) -> None:
    trainings = [[kind, precision] for kind in KINDS for precision in ("32-true", "bf16-mixed")]
    settings = [each for each in trainings if each not in FAST]
    assert run(library, "trainings", json.dumps(settings)) == dict.fromkeys(map(", ".join, settings), "")


def test_what_reads_sends_or_mixes_is_seen(library: Path) -> None:
    found = run(library, "faults", "")
    assert len(found) == 7
    assert {name: bool(problem) for name, problem in found.items()} == dict.fromkeys(found, True)

"""The list of norms: it names what the registry has, fits a terminal, and measures what can be measured."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import cli
from lit_an.commands import norms
from lit_an.norms import NORMS
from lit_an.norms.registry import condition_kind

ROOT = Path(__file__).parents[2]
SMALL = ["--channels=8", "--side=8", "--batch=2"]


@pytest.fixture(autouse=True)
def _measured_briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fewest passes of each norm: no figure is looked at closely."""
    monkeypatch.setattr(norms, "_SECONDS", 0.0)


@pytest.fixture
def of_another_package() -> Iterator[str]:
    """A norm without docstring or paper, which cannot run."""

    class Broken(nn.Module):
        def __init__(self, num_features: int) -> None:
            super().__init__()

        def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
            raise RuntimeError("it has been written in a hurry, and needs a device that this machine does not have")

    Broken.__module__ = "their_norms.broken"
    NORMS.register("theirs")(Broken)
    yield "theirs"
    del NORMS._entries["theirs"]


def listed(capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    assert cli.main(["norms", *options]) == 0
    return capsys.readouterr().out.splitlines()


def row_of(lines: list[str], name: str) -> list[str]:
    (line,) = [line for line in lines if line.startswith(f"{name} ")]
    return re.split(r"  +", line)


@pytest.mark.parametrize("columns", ["80", "120"])
@pytest.mark.parametrize("measure", ["true", "false"])
def test_it_fits_a_terminal(
    columns: str,
    measure: str,
    of_another_package: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    lines = listed(capsys, *SMALL, f"--measure={measure}")
    assert max(map(len, lines)) <= min(100, int(columns))
    assert {line.split()[0] for line in lines if re.match(r"[a-z_]+  ", line)} == {"name", *NORMS.names()}


def test_each_norm_with_what_its_class_says(capsys: pytest.CaptureFixture[str]) -> None:
    lines = listed(capsys, "--measure=false")
    assert row_of(lines, "name") == ["name", "paper", "needs", "layout", "adds"]
    assert row_of(lines, "attentive") == ["attentive", "2004.03828", "nothing", "yes", "yes"]
    assert row_of(lines, "self_attention") == ["self_attention", "1805.08318", "nothing", "–", "yes"]
    assert row_of(lines, "spade") == ["spade", "1903.07291", "mask", "–", "–"]
    assert row_of(lines, "none") == ["none", "–", "nothing", "–", "–"]
    words = {"none": "nothing", "vector": "class vector", "mask": "mask"}
    for name in NORMS.names():
        assert row_of(lines, name)[1:3] == [NORMS.get(name).paper or "–", words[condition_kind(name)]]
        summary = re.sub(r" \([^(]*arXiv.*?\)", "", (NORMS.get(name).__doc__ or "").splitlines()[0])
        assert summary in " ".join(line.strip() for line in lines)
        assert "arXiv" not in summary


def test_it_measures_every_norm_beside_a_convolution(capsys: pytest.CaptureFixture[str]) -> None:
    lines = listed(capsys, *SMALL)
    for name in NORMS.names():
        forward, backward = row_of(lines, name)[-2:]
        assert float(forward) >= 0
        assert float(backward) >= 0
    assert float(row_of(lines, "attentive")[-1]) > float(row_of(lines, "none")[-1])
    text = " ".join(lines)
    assert re.search(r"time ÷ that of a 3×3 convolution of 8 channels \(\S+ and \S+ ms\), batch 2, 8×8 positions", text)
    assert f"{torch.get_num_threads()} thread" in text
    assert "standardized_group: without standardizing the convolutions' weights." in text


def test_what_cannot_be_measured_says_why(of_another_package: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines = listed(capsys, "--channels=50", "--side=2", "--batch=1")
    text = " ".join(line.strip() for line in lines)
    assert row_of(lines, "group")[-1].startswith("not measured:")
    assert "not measured: GroupNorm2d: num_groups=32 must divide the 50 channels" in text
    assert "num_regions=16 needs at least as many positions" in text
    assert "a device that this machine does not have" in text
    assert "– [their_norms]" in text
    assert row_of(lines, "theirs")[:5] == ["theirs", "–", "nothing", "–", "–"]
    assert float(row_of(lines, "instance")[-1]) > 0, "the others are measured all the same"


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("--channels=0", "norms: channels must be at least 1, got 0"),
        ("--side=-3", "norms: side must be at least 1, got -3"),
        ("--side=100000000", "positions cannot run on this machine"),
    ],
)
def test_bad_numbers_get_one_sentence(option: str, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["norms", option]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert sentence in line


def test_its_help_loads_neither_torch_nor_lightning() -> None:
    code = (
        "import sys, cli\n"
        "try:\n    cli.main(['norms', '--help'])\nexcept SystemExit:\n    pass\n"
        "print('LOADED', *[name for name in ('torch', 'pytorch_lightning') if name in sys.modules])\n"
    )
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT).stdout
    assert [line for line in shown.splitlines() if line.startswith("LOADED")] == ["LOADED"]

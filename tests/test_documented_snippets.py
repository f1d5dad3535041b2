"""The Python snippets of README and docs/own_network.md run as a reader would run them."""

import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "docs" / "own_network.md"


def snippets_of(document: Path) -> list[str]:
    text = document.read_text(encoding="utf-8")
    snippets = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(snippets) == text.count("```python") > 0
    return snippets


def test_the_layer_in_ten_lines() -> None:
    snippet, *_ = snippets_of(ROOT / "README.md")
    assert len(snippet.splitlines()) <= 10
    space: dict[str, Any] = {}
    exec(compile(snippet, "README.md", "exec"), space)
    space["loss"].backward()
    assert space["output"].shape == (4, 64, 32, 32)
    assert space["layout"].shape == (4, 16, 32, 32)
    assert space["network"][1].layout.entities.grad is not None


def test_the_guide_to_an_own_network_runs(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torchvision")
    text = DOCUMENT.read_text(encoding="utf-8")
    space: dict[str, Any] = {}
    for snippet in snippets_of(DOCUMENT):
        exec(compile(snippet, DOCUMENT.name, "exec"), space)
    assert set(space["factors"]) == {"1.layout"}
    assert space["features"].shape == (4, 64, 32, 32)
    assert space["layout"].shape == (4, 16, 32, 32)
    printed = capsys.readouterr().out.splitlines()
    shown = [line[4:] for line in text.splitlines() if line.startswith("    ") and "  " in line[4:].strip()]
    assert len([line for line in shown if line.startswith("  ")]) == 5
    assert [line for line in shown if line.startswith("  ") and line not in printed] == []

"""The Python snippets of docs/own_network.md run one after the other, as a reader would run them."""

import re
from pathlib import Path
from typing import Any

import pytest

DOCUMENT = Path(__file__).parent.parent / "docs" / "own_network.md"


def test_the_guide_to_an_own_network_runs(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torchvision")
    text = DOCUMENT.read_text(encoding="utf-8")
    snippets = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(snippets) == text.count("```python") > 5
    space: dict[str, Any] = {}
    for snippet in snippets:
        exec(compile(snippet, DOCUMENT.name, "exec"), space)
    assert set(space["factors"]) == {"1.layout"}
    assert space["features"].shape == (4, 64, 32, 32)
    assert space["layout"].shape == (4, 16, 32, 32)
    printed = capsys.readouterr().out.splitlines()
    shown = [line[4:] for line in text.splitlines() if line.startswith("    ") and "  " in line[4:].strip()]
    assert len([line for line in shown if line.startswith("  ")]) == 5
    assert [line for line in shown if line.startswith("  ") and line not in printed] == []

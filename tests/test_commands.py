"""Tools: commands that train nothing."""

from pathlib import Path

import pytest

import cli


def test_a_tool_is_a_function_whose_arguments_are_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a_tool.py").write_text(
        "from lit_an.errors import InputError\n"
        "def run(folder: str, count: int = 1) -> int:\n"
        '    """Counts."""\n'
        "    if count < 0:\n"
        "        raise InputError(f'count must be at least 0, got {count}')\n"
        "    print(folder, count + 1)\n"
        "    return 1\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(cli.TOOLS, "count", "a_tool")
    assert cli.main(["count", "--folder=here", "--count=4"]) == 1
    assert capsys.readouterr().out == "here 5\n"
    assert cli.main(["count", "--folder=here", "--count=-4"]) == 2
    assert capsys.readouterr().err == "error: count must be at least 0, got -4\n"
    with pytest.raises(SystemExit) as exit:
        cli.main(["count", "--folder=here", "--counts=4"])
    assert exit.value.code == 2
    assert "counts" in capsys.readouterr().err

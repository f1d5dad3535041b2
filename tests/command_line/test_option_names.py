"""Names on the command line stay names."""

import inspect
from pathlib import Path

import pytest

import cli
from lit_an.command_line.option_names import with_quoted_names
from lit_an.commands import predict, prepare, prepare_masks


def quoted(value: str) -> str:
    return with_quoted_names(["--classes", value], predict.run)[1]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("[10]", '["10"]'),
        ("[007, no, 1e3, ~]", '["007", "no", "1e3", "~"]'),
        ("['a, b', \"c\"]", '["a, b", "c"]'),
        ("[2020-01-01,grün]", '["2020-01-01", "grün"]'),
        ('["[10]"]', '["[10]"]'),
        ("'[10]'", '["[10]"]'),
        ("10", '["10"]'),
        ("cat", '["cat"]'),
        ("null", "null"),
        ("[10", "[10"),
    ],
)
def test_lists_of_names_are_quoted(value: str, expected: str) -> None:
    assert quoted(value) == expected
    assert with_quoted_names([f"--classes={value}"], predict.run) == [f"--classes={expected}"]


def test_other_options_stay_as_they_are() -> None:
    arguments = ["--write", "[png]", "--rows", "10", "--device=cpu", "--classes", "--rows", "--columns", "7"]
    assert with_quoted_names(arguments[:5], predict.run) == arguments[:5]
    assert with_quoted_names(["--classes", "3"], prepare.run) == ["--classes", "3"]
    assert with_quoted_names(["--bins=[10-20]"], prepare_masks.run) == ['--bins=["10-20"]']
    assert "classes" in inspect.signature(predict.run).parameters


def test_the_command_line_takes_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No checkpoint is there; but the names were understood, and that is what is said."""
    for classes in ("[007,no]", "10", "'[10]'"):
        assert cli.main(["predict", f"--ckpt_path={tmp_path / 'no.ckpt'}", "--classes", classes]) == 2
        assert "there is no such file" in capsys.readouterr().err
    assert (
        cli.main(
            ["prepare_masks", "--shape=lit_an.masks.Rectangle", f"--out={tmp_path}/m", "--bins", "10", "--image_size=8"]
        )
        == 2
    )
    assert "bins must be some of" in capsys.readouterr().err

"""Names on the command line stay names."""

from pathlib import Path

import pytest

import cli
from lit_an.command_line.parsers import command_parser
from lit_an.commands import sample


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("[10]", ["10"]),
        ("[007, no, 1e3, ~]", ["007", "no", "1e3", "~"]),
        ("[cat, dog]", ["cat", "dog"]),
        ("['a, b', \"c\"]", ["a, b", "c"]),
        ("[2020-01-01,grün]", ["2020-01-01", "grün"]),
        ('["[10]"]', ["[10]"]),
        ("'[10]'", ["[10]"]),
        ("10", ["10"]),
        ("no", ["no"]),
        ("cat", ["cat"]),
        ("null", None),
    ],
)
def test_names_stay_as_they_are_spelled(value: str, expected: list[str] | None) -> None:
    parser = command_parser("sample", sample.run)
    for arguments in (["--classes", value], [f"--classes={value}"]):
        assert parser.parse_args(["--ckpt_path=x", *arguments]).classes == expected


def test_a_broken_list_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit:
        cli.main(["sample", "--ckpt_path=x", "--classes=[10"])
    assert exit.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: classes: ")
    assert "'[10' is no list of names" in line


def test_the_command_line_takes_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No checkpoint is there; but the names were understood, and that is what is said."""
    for classes in ("[007,no]", "10", "'[10]'"):
        assert cli.main(["sample", f"--ckpt_path={tmp_path / 'no.ckpt'}", "--classes", classes]) == 2
        assert "there is no such file" in capsys.readouterr().err
    masks = ["prepare_masks", "--shape=lit_an.masks.Rectangle", f"--out={tmp_path}/m", "--image_size=8"]
    assert cli.main([*masks, "--bins", "10"]) == 2
    assert "bins must be some of" in capsys.readouterr().err

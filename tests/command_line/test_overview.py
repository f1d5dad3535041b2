"""What ``lit-an`` alone, ``--help`` and mistyped words say."""

from pathlib import Path

import pytest

import cli
from lit_an.command_line.short_help import ALL, options_of, short_help
from tests.test_configs import QUICKSTART, parsed

QUICK = f"--config={QUICKSTART}"


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, output and errors of a command line."""
    try:
        code = cli.main(list(arguments))
    except SystemExit as ended:
        code = int(ended.code or 0)
    return code, *capsys.readouterr()


def test_every_command_is_in_one_group() -> None:
    grouped = [name for names in cli.GROUPS.values() for name in names]
    assert sorted(grouped) == sorted([*cli.TRAINER_COMMANDS, *cli.COMMANDS])


@pytest.mark.parametrize("asked", [(), ("--help",), ("-h",), ("help",)])
def test_all_commands_have_a_line_on_80_columns(asked: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = said(capsys, *asked)
    assert code == (0 if asked else 2)
    lines = (out if asked else err).splitlines()
    assert max(map(len, lines)) <= 80
    for name in (*cli.TRAINER_COMMANDS, *cli.COMMANDS):
        assert sum(line.startswith(f"  {name} ") for line in lines) == 1, name


def test_the_version_names_what_it_runs_on(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, "--version")
    assert code == 0
    assert out.startswith("lit_an ")
    assert ", torch " in out


@pytest.mark.parametrize("command", cli.TRAINER_COMMANDS)
def test_the_help_of_a_training_is_short_and_fits_80_columns(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, command, "--help")
    lines = out.splitlines()
    assert code == 0
    assert out.strip() == short_help(command)
    assert len(lines) < 60
    assert max(len(line) for line in lines[3:]) <= 80


def test_all_options_are_behind_another_word(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, "fit", ALL)
    assert code == 0
    assert "--trainer.detect_anomaly" in out


@pytest.mark.parametrize("command", ["fit", "validate"])
def test_the_options_of_the_short_help_exist(command: str) -> None:
    given = {option.name: option.example for option in options_of(command) if option.example is not None}
    assert len(given) >= 7
    config = parsed(QUICKSTART, extra=tuple(f"{name}={value}" for name, value in given.items()))
    assert config["data"]["init_args"]["source"]["init_args"]["root"] == "photographs"  # type: ignore[index]


@pytest.mark.parametrize("command", sorted(set(cli.COMMANDS) - {"check"}))
def test_the_help_of_a_command_is_in_words_on_80_columns(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, command, "--help")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    assert not [word for word in ("type:", "null", "None", "``", "Literal", "Optional", "<class") if word in out]


def test_values_and_defaults_are_those_that_one_types(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = said(capsys, "export", "--help")
    assert "export --ckpt_path CKPT_PATH [options]" in out
    assert "  --formats FORMATS,… " in out
    assert "  --half  " in out
    assert "  --standing_passes N " in out
    assert "  --statistics running|standing" in out
    assert "Default: safetensors,torch,onnx." in " ".join(out.split())


def test_the_help_of_check_is_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, "check", "--help")
    assert code == 0
    assert "--max_overlap" in out
    assert "--trainer" not in out
    assert "takes the configs and overrides of fit too" in out


@pytest.mark.parametrize("command", ["fit", "check"])
def test_without_a_config_it_says_which_there_are(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = said(capsys, command)
    *listed, last = err.splitlines()
    assert code == 2
    assert "configs/class_conditional/earth_quickstart.yaml" in listed
    assert last == f"error: {command} needs --config FILE, such as one of those above"


MISTYPED = {
    ("fitt",): "there is no command 'fitt', did you mean 'fit'?",
    ("--hepl",): "there is no option --hepl before the command, did you mean '--help'?",
    ("--config", "folder64.yaml", "fit"): "the command comes first, then its options: ",
    ("fit", "--config=earth_quickstart"): (
        "--config earth_quickstart: there is no such file, did you mean "
        "configs/class_conditional/earth_quickstart.yaml?"
    ),
    ("fit", "--config=configs/inpainting/place256_an.yaml"): "did you mean configs/inpainting/places256_an.yaml?",
    ("fit", "--config=configs"): "--config configs: that is a folder",
    ("fit", QUICK, "--itertions", "3"): "there is no option --itertions, did you mean '--iterations'?",
    ("fit", QUICK, "--batch_size=8"): "there is no option --batch_size, did you mean '--data.batch_size'?",
    ("fit", QUICK, "--max_epochs", "8"): "there is no option --max_epochs, did you mean '--trainer.max_epochs'?",
    ("fit", QUICK, "--trainer.acelerator=cpu"): "there is no option --trainer.acelerator, did you mean",
    ("sample", "--first_sed=3"): "there is no option --first_sed, did you mean '--first_seed'?",
    ("sample", "--classes="): "error: classes: '' is no list of names",
    ("sample", "more"): "'more' belongs to no option",
    ("sample", "--write", "sheeet"): "write: expected one of 'png', 'npz', 'sheet', ",
    ("inpaint", "--masks=masks"): "--images is required; see --help",
    ("fit", QUICK, "--data=lit_an.data.ClassDat"): "lit_an.data has no class 'ClassDat', did you mean 'ClassData'?",
    ("fit", QUICK, "--model.r1_weight=fast"): "model.r1_weight: expected a number, got 'fast'",
    ("fit", QUICK, "--model.share_fakes=maybe"): "model.share_fakes: expected true or false, got 'maybe'",
    ("fit", QUICK, "--iterations=3.5"): "iterations: expected a whole number, got 3.5",
    ("validate",): "validate needs --ckpt_path, a run folder",
}


@pytest.mark.parametrize("arguments", MISTYPED, ids=" ".join)
def test_what_is_mistyped_is_named_with_what_is_near(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(QUICKSTART).parent.parent.parent)
    code, _, err = said(capsys, *arguments)
    *listed, line = err.strip().splitlines()
    assert code == 2
    assert line.startswith("error: ")
    assert MISTYPED[arguments] in line
    assert bool(listed) == (arguments[0] not in (*cli.TRAINER_COMMANDS, *cli.COMMANDS)), "all commands, if it is none"

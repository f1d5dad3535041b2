"""What a mistyped command line says, through the real parser."""

from pathlib import Path

import pytest

import cli
from tests.test_cli import SMALL_CLASSES

CASES = {
    "--model.generator.base_wdth=3": (
        "error: model.generator: lit_an.networks.ResNetGenerator has no argument 'base_wdth', did you mean "
        "'base_width'? It accepts: image_size, num_classes"
    ),
    "--model.discriminator_stps=3": (
        "error: model: lit_an.tasks.ClassConditionalGAN has no argument 'discriminator_stps', did you mean "
        "'discriminator_steps'?"
    ),
    "--model.generator.base_width=wide": "error: model.generator.base_width: expected a whole number, got 'wide'",
    "--data.source.stride=x": "error: data.source.stride: expected a whole number, got 'x'",
    "--iterations=abc": "error: iterations: expected a whole number, got 'abc'",
    "--config=no_such_file.yaml": "error: --config no_such_file.yaml: there is no such file",
    "--trainer.callbacks+=callbacks.Nope": "error: trainer.callbacks: callbacks has no class 'Nope'",
    "--trainer.max_stps=3": "error: there is no option --trainer.max_stps, did you mean",
    "--iterations=1e3": "error: iterations: expected a whole number, got 1000.0",
    "--trainer.logger=x": "error: trainer.logger: expected a class or a list or true or false, got 'x'",
    "--trainer.precision=bf17": "bf16-mixed",
}


@pytest.mark.parametrize("argument", CASES)
def test_one_sentence_and_exit_code_2(argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = cli.main(["fit", f"--config={SMALL_CLASSES}", argument])
    except SystemExit as ended:
        code = int(ended.code or 0)
    assert code == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("error: ")
    assert CASES[argument] in line


@pytest.mark.parametrize(
    ("text", "sentence"), [("", "is empty"), ("# nothing\n", "is empty"), ("- 1\n", "is a list")], ids=str
)
def test_a_config_without_keys_is_named(
    text: str, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "overlay.yaml"
    config.write_text(text)
    assert cli.main(["fit", f"--config={SMALL_CLASSES}", f"--config={config}"]) == 2
    assert f"error: the config {config} {sentence}; a config has lines of KEY: VALUE" in capsys.readouterr().err


def test_a_config_may_be_a_base_alone_and_a_run_folder_shows_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"# mine\nbase: {SMALL_CLASSES}\n")
    shown = []
    for options in ([f"--config={SMALL_CLASSES}"], [f"--config={config}"], [f"--ckpt_path={tmp_path}"]):
        with pytest.raises(SystemExit):
            cli.main(["fit", *options, "--iterations=7", "--print_config"])
        shown.append([line for line in capsys.readouterr().out.splitlines() if not line.startswith("ckpt_path")])
    assert shown[0] == shown[1] == shown[2]
    assert "iterations: 7" in shown[0]


def test_an_option_that_a_config_behind_it_replaces_is_named(tmp_path: Path) -> None:
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("iterations: 2\ntrainer: {precision: bf16-mixed}\nmodel: {init_args: {r1_weight: 3}}\n")
    given = {"iterations": 5, "trainer.precision": "64-true", "model.init_args.r1_weight": 1}
    options = [*(f"--{name}={value}" for name, value in given.items()), f"--config={overlay}"]
    with pytest.warns(UserWarning, match="is not used, since a --config behind it says") as said:
        assert cli.main(["fit", f"--config={SMALL_CLASSES}", *options, "--trainer.max_epochs=3"]) == 2  # it is refused
    assert [str(each.message).partition(";")[0] for each in said if "is not used" in str(each.message)] == [
        "--iterations 5 is not used, since a --config behind it says 2",
        "--trainer.precision 64-true is not used, since a --config behind it says bf16-mixed",
        "--model.r1_weight 1 is not used, since a --config behind it says 3.0",
    ]

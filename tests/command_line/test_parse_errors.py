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


def test_an_option_that_a_config_behind_it_replaces_is_named(tmp_path: Path) -> None:
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("iterations: 2\n")
    options = ["--iterations=5", f"--config={overlay}", "--trainer.max_epochs=3"]  # the last is refused
    with pytest.warns(
        UserWarning, match="--iterations 5 is not used, since a --config behind it says 2; put it behind"
    ):
        assert cli.main(["fit", f"--config={SMALL_CLASSES}", *options]) == 2

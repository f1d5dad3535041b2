"""Options that name the class of a callback, through the real parser."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonargparse import Namespace

import cli
from lit_an.command_line.callback_options import keep_last_of_a_kind
from tests.test_cli import SMALL_CLASSES

CONFIGS = [f"--config={SMALL_CLASSES}", "--config=configs/metrics/layouts.yaml", "--config=configs/metrics/small.yaml"]


def _callbacks(capsys: pytest.CaptureFixture[str], *options: str) -> list[dict[str, Any]]:
    with pytest.raises(SystemExit) as ended:
        cli.main(["fit", *CONFIGS, *options, "--print_config"])
    assert ended.value.code == 0
    return yaml.safe_load(capsys.readouterr().out)["trainer"]["callbacks"]


def test_a_callback_is_set_by_its_name_and_stays_in_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    before = _callbacks(capsys)
    after = _callbacks(
        capsys,
        "--trainer.callbacks.LayoutScores.regions=first_and_rest",
        *("--trainer.callbacks.GenerationMetrics.extractor_kwargs.path", "x.pt"),
        "--trainer.callbacks.LayoutScores.init_args.images=64",
        "--trainer.callbacks.num_images=50",
    )
    scores, metrics = before[-2]["init_args"], before[-1]["init_args"]
    scores.update(regions="first_and_rest", images=64)
    metrics.update(num_images=50, extractor_kwargs={**metrics["extractor_kwargs"], "path": "x.pt"})
    assert after == before


WRONG = {
    "--trainer.callbacks.LayoutScore.images=64": (
        "error: --trainer.callbacks.LayoutScore.images: no callback is of the class LayoutScore, did you mean "
        "'LayoutScores'? There are: "
    ),
    "--trainer.callbacks.LayoutScores.imges=64": (
        "error: --trainer.callbacks.LayoutScores.imges: callbacks.LayoutScores has no argument 'imges', did you mean "
        "'images'?"
    ),
    "--trainer.callbacks.LayoutScores.images=abc": (
        "error: trainer.callbacks.images: expected a whole number, got 'abc'"
    ),
}


@pytest.mark.parametrize("option", WRONG)
def test_a_wrong_name_or_value_is_one_sentence(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = cli.main(["fit", *CONFIGS, option])
    except SystemExit as ended:
        code = int(ended.code or 0)
    assert code == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith(WRONG[option])


def test_two_of_a_class_are_not_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    more = "--trainer.callbacks+=callbacks.SampleGridLogger"
    assert cli.main(["fit", *CONFIGS, more, "--trainer.callbacks.SampleGridLogger.keep=9"]) == 2
    assert "2 callbacks are of the class SampleGridLogger" in capsys.readouterr().err


def test_a_single_callback_need_not_be_a_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    overlay = tmp_path / "one.yaml"
    overlay.write_text("trainer: {callbacks: {class_path: callbacks.Checkpointing, init_args: {every_iterations: 2}}}")
    (one,) = _callbacks(capsys, f"--config={overlay}", "--trainer.callbacks.Checkpointing.keep=5")
    assert (one["init_args"]["every_iterations"], one["init_args"]["keep"]) == (2, 5)


def test_folders_of_any_name_stay_what_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """YAML reads these names as a mapping, a list and a list."""
    config = tmp_path / "data.yaml"
    source = "{class_path: lit_an.data.sources.ImageFolder, init_args: {root: 'Photos: 2024'}}"
    config.write_text(f"data: {{init_args: {{source: {source}}}}}")
    more = ["--trainer.callbacks.GenerationMetrics.cache_dir", "[a]", "--model.compile=a: b"]
    for options, root in (([], "Photos: 2024"), (["--data.source.root", "- x"], "- x")):
        with pytest.raises(SystemExit) as ended:
            cli.main(["fit", *CONFIGS, f"--config={config}", *options, *more, "--print_config"])
        assert ended.value.code == 0
        found = yaml.safe_load(capsys.readouterr().out)
        assert found["data"]["init_args"]["source"]["init_args"]["root"] == root
        assert found["trainer"]["callbacks"][-1]["init_args"]["cache_dir"] == "[a]"
        assert found["model"]["init_args"]["compile"] == "a: b"


def test_metrics_of_an_overlay_take_the_place_of_the_configs(capsys: pytest.CaptureFixture[str]) -> None:
    """Two would write the same files."""
    small = _callbacks(capsys)
    both = _callbacks(capsys, "--config=configs/metrics/packaged.yaml")
    assert [each["class_path"] for each in both] == [each["class_path"] for each in small]
    assert both[-1]["init_args"]["extractor"] == "efficientnet_lite0"
    assert both[:-1] == small[:-1]


def test_a_callback_that_the_command_line_adds_takes_the_place_too(tmp_path: Path) -> None:
    argv = ["fit", *CONFIGS, "--trainer.callbacks+=callbacks.LayoutScores", "--trainer.callbacks.images=1"]
    assert cli.main([*argv, f"--run_folder={tmp_path / 'run'}"]) == 2, "images=1 is refused, of the one that is left"
    config: dict[str, Any] = {
        "trainer.callbacks": [
            Namespace(class_path="callbacks.LayoutScores", init_args=Namespace(images=first)) for first in (8, 9)
        ]
    }
    keep_last_of_a_kind(config)
    (kept,) = config["trainer.callbacks"]
    assert kept.init_args.images == 9


def test_a_config_may_lie_at_home_or_be_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.yaml").write_text("iterations: 7\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    for more in ("--config=~/mine.yaml", "--config={iterations: 7}"):
        with pytest.raises(SystemExit) as ended:
            cli.main(["fit", *CONFIGS, more, "--print_config"])
        assert ended.value.code == 0
        assert yaml.safe_load(capsys.readouterr().out)["iterations"] == 7

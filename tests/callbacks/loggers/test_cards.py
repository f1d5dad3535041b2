"""What loggers show of a run: few values, in the order that one reads them."""

from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import cli
from tests.command_line.small_runs import arguments
from tests.test_configs import CONFIGS, toy

MOST = 25
GROUPS = ["1_losses", "2_metrics", "3_learning_rate", "4_speed", "5_layouts"]


def _scalars(folder: Path) -> list[str]:
    events = EventAccumulator(str(folder))
    events.Reload()
    return sorted(tag for tag in events.Tags()["scalars"])


def _trained(path: Path, image_folder: Path, folder: Path) -> list[str]:
    every = ["--trainer.log_every_n_steps=1", "--trainer.val_check_interval=1"]
    assert cli.main(["fit", f"--config={path}", *toy(path, image_folder, folder), *every]) == 0
    assert (folder / "checkpoints" / "last.ckpt").exists()
    assert (folder / "config.yaml").exists()
    return _scalars(folder)


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(
            path,
            id=path.stem,
            marks=[] if path.stem in ("earth_quickstart", "earth_inpainting") else [pytest.mark.slow],
        )
        for path in CONFIGS
    ],
)
def test_a_recipe_has_few_cards_in_the_order_of_reading(path: Path, image_folder: Path, tmp_path: Path) -> None:
    tags = _trained(path, image_folder, tmp_path / "run")
    assert 5 < len(tags) <= MOST
    groups = list(dict.fromkeys(tag.partition("/")[0] for tag in tags))
    assert groups == [group for group in GROUPS if group in groups]
    assert {"1_losses", "3_learning_rate", "4_speed"} <= set(groups)


def test_all_values_are_shown_to_those_who_ask(image_folder: Path, tmp_path: Path) -> None:
    options = ["--iterations=2", "--trainer.cards=all", "--trainer.log_every_n_steps=1"]
    assert cli.main(arguments(image_folder, tmp_path / "run", *options)) == 0
    tags = _scalars(tmp_path / "run")
    columns = (tmp_path / "run" / "metrics.csv").read_text().splitlines()[0].split(",")
    assert set(columns) - {"step"} <= set(tags)
    assert {"images_seen", "train/generator/learning_rate", "train/discriminator/learning_rate"} <= set(columns)


def test_hyperparameters_are_those_of_the_config(image_folder: Path, tmp_path: Path) -> None:
    assert cli.main(arguments(image_folder, tmp_path / "run", "--iterations=1")) == 0
    settings = (tmp_path / "run" / "hparams.yaml").read_text()
    assert "model.generator: lit_an.networks.ResNetGenerator" in settings
    assert "model.generator_optimizer.lr:" in settings
    assert "trainer" not in settings
    saved = (tmp_path / "run" / "config.yaml").read_text()
    assert "ckpt_path" not in saved
    assert "run_folder" not in saved

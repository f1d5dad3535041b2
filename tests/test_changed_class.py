"""Another class on the command line keeps what it has in common with the config's, also what refers to other keys."""

from pathlib import Path
from typing import Any

import pytest
import yaml

import cli

ROOT = Path(__file__).parent.parent


def printed(capsys: pytest.CaptureFixture[str], config: str, *more: str) -> dict[str, Any]:
    with pytest.raises(SystemExit) as ended:
        cli.main(["fit", f"--config={ROOT / 'configs' / config}", *more, "--print_config"])
    assert ended.value.code == 0
    whole: dict[str, Any] = yaml.safe_load(capsys.readouterr().out)
    return whole


def test_shards_in_place_of_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    more = ("--data=lit_an.data.Prepared", "--data.root=SHARDS", "--model.discriminator_steps=5")
    data = printed(capsys, "class_conditional/folder64.yaml", *more)["data"]
    assert data["class_path"] == "lit_an.data.Prepared"
    kept = {
        name: data["init_args"][name] for name in ("image_size", "batch_size", "batches_per_iteration", "num_workers")
    }
    assert kept == {"image_size": 64, "batch_size": 64, "batches_per_iteration": 5, "num_workers": 2}
    assert "val_fraction" not in data["init_args"]


def test_the_recipe_of_a_paper_stays_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """With another number of batches an iteration would be another algorithm."""
    config = "class_conditional/imagenet128_sngan.yaml"
    before = printed(capsys, config)["data"]["init_args"]
    after = printed(capsys, config, "--data=lit_an.data.Prepared", "--data.root=SHARDS")["data"]["init_args"]
    assert before["batches_per_iteration"] > 1
    assert {name for name in before.keys() & after.keys() if before[name] != after[name]} == {"root"}


def test_holes_stay_what_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    config = "inpainting/places256_an.yaml"
    before = printed(capsys, config)["data"]["init_args"]
    after = printed(capsys, config, "--data=lit_an.data.PreparedPhotographs", "--data.root=SHARDS")["data"]["init_args"]
    assert before["mask"] is not None
    assert {name for name in before.keys() & after.keys() if before[name] != after[name]} == {"root"}

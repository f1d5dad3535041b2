"""Another source on the command line changes where the pictures are, and nothing of what is made of them."""

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


SHARDS = ("--data.source=lit_an.data.sources.Prepared", "--data.source.root=SHARDS")


@pytest.mark.parametrize("config", ["class_conditional/imagenet128_sngan.yaml", "inpainting/places256_an.yaml"])
def test_all_but_the_source_stays_what_it_is(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a recipe too: with another number of batches an iteration would be another algorithm."""
    before, after = printed(capsys, config)["data"], printed(capsys, config, *SHARDS)["data"]
    assert before["init_args"]["batches_per_iteration"] > 1
    assert after["init_args"].pop("source") == {
        "class_path": "lit_an.data.sources.Prepared",
        "init_args": {"root": "SHARDS", "cache_dir": None},
    }
    before["init_args"].pop("source")
    assert after == before


def test_what_refers_to_other_keys_still_does(capsys: pytest.CaptureFixture[str]) -> None:
    more = ("--model.discriminator_steps=5", "--model.generator.image_size=32")
    data = printed(capsys, "class_conditional/folder64.yaml", *SHARDS, *more)["data"]["init_args"]
    assert (data["image_size"], data["batches_per_iteration"]) == (32, 5)


def test_the_task_of_the_data_may_change_too(capsys: pytest.CaptureFixture[str]) -> None:
    changed = printed(capsys, "class_conditional/folder64.yaml", "--data=lit_an.data.InpaintingData")["data"]
    assert changed["class_path"] == "lit_an.data.InpaintingData"
    assert changed["init_args"]["source"]["init_args"]["root"] == "data/images"
    assert (changed["init_args"]["image_size"], changed["init_args"]["batch_size"]) == (64, 32)

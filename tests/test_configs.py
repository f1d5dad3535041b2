"""Every config is built and trained for two iterations at toy size; every overlay changes what it says."""

from pathlib import Path

import pytest
import yaml

import cli

ROOT = Path(__file__).parent.parent
CONFIGS = sorted(ROOT.glob("configs/class_conditional/*.yaml"))
ABLATIONS = sorted(ROOT.glob("configs/ablations/*.yaml"))
TRAINERS = sorted(ROOT.glob("configs/trainer/*.yaml"))
QUICKSTART = ROOT / "configs/class_conditional/earth_quickstart.yaml"


def toy(path: Path, image_folder: Path, run_folder: Path) -> list[str]:
    """Overrides that shrink any class-conditional config to seconds on three classes of real files."""
    generator = yaml.safe_load(path.read_text())["model"]["init_args"]["generator"]["init_args"]
    return [
        "--iterations=2",
        f"--run_folder={run_folder}",
        "--trainer.accelerator=cpu",
        "--trainer.devices=1",
        "--trainer.num_nodes=1",
        "--trainer.sync_batchnorm=false",
        "--trainer.limit_val_batches=1",
        "--trainer.log_every_n_steps=1",
        "--model.generator.base_width=2",
        "--model.generator.num_classes=3",
        "--model.discriminator.base_width=2",
        "--data=lit_an.data.ImageFolder",
        f"--data.image_size={generator['image_size']}",
        f"--data.root={image_folder}",
        "--data.batch_size=4",
        "--data.num_workers=0",
    ]


def parsed(*paths: Path, extra: tuple[str, ...] = ()) -> dict[str, object]:
    """The whole truth of a combination, as ``--print_config`` shows it."""
    import contextlib
    import io

    text = io.StringIO()
    arguments = [argument for path in paths for argument in ("--config", str(path))]
    with contextlib.redirect_stdout(text), pytest.raises(SystemExit) as ended:
        cli.main(["fit", *arguments, *extra, "--print_config"])
    assert ended.value.code in (0, None)
    config: dict[str, object] = yaml.safe_load(text.getvalue())
    return config


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_config_trains(path: Path, image_folder: Path, tmp_path: Path) -> None:
    arguments = ["fit", "--config", str(path), *toy(path, image_folder, tmp_path / "run")]
    assert cli.main(arguments) == 0
    assert (tmp_path / "run" / "checkpoints" / "last.ckpt").exists()
    assert (tmp_path / "run" / "config.yaml").exists()


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_config_is_a_lab_record(path: Path) -> None:
    head = path.read_text().split("\nseed_everything")[0]
    for word in ("# Trains", "# Aims at:", "# Command: python cli.py fit"):
        assert word in head, f"{path.name} begins with a comment that says {word!r}"


@pytest.mark.parametrize("path", ABLATIONS, ids=lambda path: path.stem)
def test_an_ablation_changes_one_key(path: Path) -> None:
    slot, _, name = path.stem.partition("_") if path.stem.startswith("norm") else ("long_range", "", path.stem[11:])
    plain, swapped = parsed(QUICKSTART), parsed(QUICKSTART, path)
    generator = swapped["model"]["init_args"]["generator"]["init_args"]  # type: ignore[index]
    assert generator[slot] == name
    generator[slot] = plain["model"]["init_args"]["generator"]["init_args"][slot]  # type: ignore[index]
    assert swapped == plain


@pytest.mark.parametrize("path", TRAINERS, ids=lambda path: path.stem)
def test_a_trainer_overlay_changes_the_trainer_only(path: Path) -> None:
    plain, swapped = parsed(QUICKSTART), parsed(QUICKSTART, path)
    trainer = yaml.safe_load(path.read_text())["trainer"]
    assert {key: swapped["trainer"][key] for key in trainer} == trainer  # type: ignore[index]
    assert {**swapped, "trainer": None} == {**plain, "trainer": None}


def test_linked_facts_follow_an_override() -> None:
    config = parsed(QUICKSTART, extra=("--model.generator.image_size=64", "--model.discriminator_steps=5"))
    model, data = config["model"]["init_args"], config["data"]["init_args"]  # type: ignore[index]
    assert model["discriminator"]["init_args"]["image_size"] == data["image_size"] == 64
    assert data["batches_per_iteration"] == 5


def test_the_128_px_recipe_keeps_the_papers_values() -> None:
    model = parsed(ROOT / "configs/class_conditional/imagenet128_an.yaml")["model"]["init_args"]  # type: ignore[index]
    generator = model["generator"]["init_args"]
    assert generator["long_range_kwargs"] == {"num_regions": 16, "temperature": 0.1}
    assert (generator["long_range"], generator["long_range_resolution"], generator["base_width"]) == (
        "attentive",
        32,
        64,
    )
    rates = [model[f"{side}_optimizer"]["init_args"]["lr"] for side in ("generator", "discriminator")]
    assert rates == [1e-4, 4e-4]
    assert model["orthogonality_weight"] == 1e-3

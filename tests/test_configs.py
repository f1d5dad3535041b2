"""Every config is built and trained for two iterations at toy size; every overlay changes what it says."""

import contextlib
import functools
import inspect
import io
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from omegaconf import OmegaConf

import cli
from lit_an.files.configs import load_config
from lit_an.networks import ResNetGenerator
from lit_an.norms import NORMS, AttentiveNorm2d

ROOT = Path(__file__).parent.parent
CONFIGS = sorted([*ROOT.glob("configs/class_conditional/*.yaml"), *ROOT.glob("configs/inpainting/*.yaml")])
ABLATIONS = sorted(ROOT.glob("configs/ablations/*.yaml"))
TRAINERS = sorted(ROOT.glob("configs/trainer/*.yaml"))
LOGGERS = sorted(ROOT.glob("configs/loggers/*.yaml"))
RECIPES = sorted(ROOT.glob("configs/class_conditional/imagenet128_*.yaml"))
INPAINTING_RECIPES = sorted(ROOT.glob("configs/inpainting/*256_an.yaml"))
QUICKSTART = ROOT / "configs/class_conditional/earth_quickstart.yaml"
INPAINTING_QUICKSTART = ROOT / "configs/inpainting/earth_inpainting.yaml"


def said_by(path: Path) -> Any:
    """What a config and its bases say, references as they are written."""
    return OmegaConf.to_container(load_config(path))


def toy(path: Path, image_folder: Path, run_folder: Path) -> list[str]:
    """Overrides that shrink any config to seconds on real files."""
    model = said_by(path)["model"]["init_args"]
    shrunk = [
        "--iterations=2",
        f"--run_folder={run_folder}",
        "--trainer.accelerator=cpu",
        "--trainer.devices=1",
        "--trainer.num_nodes=1",
        "--trainer.sync_batchnorm=false",
        "--trainer.limit_val_batches=1",
        "--trainer.log_every_n_steps=1",
    ]
    if path.parent.name == "inpainting":
        return [
            *shrunk,
            "--model.generator.width=2",
            "--model.discriminator.base_width=2",
            "--model.adversarial_from=1",
            "--model.losses.id_mrf_weight=0",
            "--data.source=lit_an.data.sources.Photographs",
            "--data.image_size=64",
            f"--data.source.root={image_folder}",
            "--data.batch_size=2",
            f"--data.batches_per_iteration={model['discriminator_steps']}",
            "--data.num_workers=0",
        ]
    on_features = model["discriminator"]["class_path"].endswith("FeatureDiscriminator")
    return [
        *shrunk,
        "--model.generator.base_width=2",
        "--model.generator.num_classes=3",
        f"--model.discriminator.{'head_width' if on_features else 'base_width'}=2",
        "--data.source=lit_an.data.sources.ImageFolder",
        f"--data.source.root={image_folder}",
        f"--data.batch_size={max(4, model.get('accumulate', 1))}",
        "--data.num_workers=0",
    ]


def parsed(*paths: Path, extra: tuple[str, ...] = ()) -> dict[str, object]:
    """The whole truth of a combination, as ``--print_config`` shows it."""
    config: dict[str, object] = yaml.safe_load(printed(*paths, extra=extra))
    return config


@functools.cache
def printed(*paths: Path, extra: tuple[str, ...] = ()) -> str:
    text = io.StringIO()
    arguments = [argument for path in paths for argument in ("--config", str(path))]
    with contextlib.redirect_stdout(text), pytest.raises(SystemExit) as ended:
        cli.main(["fit", *arguments, *extra, "--print_config"])
    assert ended.value.code in (0, None)
    return text.getvalue()


@pytest.fixture(autouse=True)
def precision_of_before() -> Iterator[None]:
    """An overlay for GPUs sets how exact float32 is, in the whole process."""
    yield
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = True


# Those of one base differ in their data alone; tests/callbacks/loggers/test_cards.py trains the quickstarts.
TRAINED_BY_OTHERS = ("celebahq256_an", "paris256_an", QUICKSTART.stem, INPAINTING_QUICKSTART.stem)


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=[pytest.mark.slow] * (path.stem in TRAINED_BY_OTHERS), id=path.stem) for path in CONFIGS],
)
def test_a_config_trains(path: Path, image_folder: Path, tmp_path: Path) -> None:
    arguments = ["fit", "--config", str(path), *toy(path, image_folder, tmp_path / "run")]
    assert cli.main(arguments) == 0
    assert (tmp_path / "run" / "checkpoints" / "last.ckpt").exists()
    assert (tmp_path / "run" / "config.yaml").exists()


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_optimizers_are_fused(path: Path) -> None:
    model = said_by(path)["model"]["init_args"]
    for side in ("generator", "discriminator"):
        assert model[f"{side}_optimizer"]["init_args"]["fused"] is True


@pytest.mark.parametrize("path", TRAINERS, ids=lambda path: path.stem)
def test_an_overlay_for_gpus_says_how_fast_they_compute(path: Path) -> None:
    says = said_by(path)["trainer"]
    on_gpu = says.get("accelerator") == "gpu"
    assert says.get("float32_matmul_precision") == ("high" if on_gpu else None)
    assert says.get("benchmark", False) == on_gpu


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_config_is_a_lab_record(path: Path) -> None:
    head = re.split(r"\n(?=\w)", path.read_text())[0]
    for word in ("# Trains", "# Aims at:", "# Command: python cli.py fit"):
        assert word in head, f"{path.name} begins with a comment that says {word!r}"


def leaves(says: Any, place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """(place, value) of all that a file says; arguments of a slot, or a shape of holes, are one value."""
    if isinstance(says, dict) and not (place and place[-1].endswith(("_kwargs", "mask"))):
        for key, value in says.items():
            yield from leaves(value, (*place, key))
    else:
        yield place, says


def says_so(found: Any, said: Any) -> bool:
    """Whether a config has a value, or all that is said of a shape of holes, defaults beside it."""
    if isinstance(said, dict):
        return all(says_so(found[key], value) for key, value in said.items())
    return bool(found == said)


def quickstart_of(overlay: Path) -> Path:
    """The quickstart of the task that an overlay is for."""
    inpaints = overlay.stem.startswith(("mask", "phase")) or "_region_" in overlay.stem or "spade" in overlay.stem
    return INPAINTING_QUICKSTART if inpaints else QUICKSTART


@pytest.mark.parametrize("path", [*ABLATIONS, *TRAINERS], ids=lambda path: path.stem)
def test_an_overlay_changes_what_it_says_and_nothing_else(path: Path) -> None:
    base = quickstart_of(path)
    plain, swapped = parsed(base), parsed(base, path)
    for place, value in leaves(yaml.safe_load(path.read_text())):
        before, after = plain, swapped
        for key in place[:-1]:
            before, after = before[key], after[key]  # type: ignore[assignment]
        assert says_so(after[place[-1]], value)
        after[place[-1]] = before[place[-1]]
    assert swapped == plain


@pytest.mark.parametrize(
    "path", [p for p in ABLATIONS if p.stem.startswith(("norm", "long_range"))], ids=lambda p: p.stem
)
def test_an_ablation_of_a_slot_is_named_after_it(path: Path) -> None:
    (((*_, slot), name),) = leaves(yaml.safe_load(path.read_text()))
    assert path.stem == f"{slot}_{name}"


def test_every_norm_has_an_overlay() -> None:
    stems = {path.stem for path in ABLATIONS}
    without = {name for name in NORMS.names() if not stems & {f"norm_{name}", f"long_range_{name}"}}
    assert without == {"conditional_batch"}, "which is what the recipes have"


@pytest.mark.parametrize("path", [p for p in ABLATIONS if p.stem.startswith("an_")], ids=lambda p: p.stem)
def test_an_overlay_of_attentive_normalization_builds_what_it_says(path: Path) -> None:
    ((_, said),) = leaves(yaml.safe_load(path.read_text()))
    config: Any = parsed(quickstart_of(path), path)
    arguments = config["model"]["init_args"]["generator"]["init_args"]
    generator = ResNetGenerator(**{**arguments, "base_width": 4})
    norm = generator.long_range
    assert isinstance(norm, AttentiveNorm2d)
    ((name, value),) = said.items()
    layout = getattr(norm.layout, name, None)
    found = {
        "value_projection": norm.value is not None,
        "affine": norm.weight is not None,
        "class_affine": norm.gain is not None,
        "moments": norm.moments,
        "residual_start": norm.residual_scale.item(),
    }.get(name, layout)
    assert found == value
    assert found != inspect.signature(AttentiveNorm2d).parameters[name].default or path.stem == "an_centered_off"
    image = generator(torch.randn(2, generator.latent_dim), torch.tensor([0, 1]))
    image.square().mean().backward()
    assert norm.residual_scale.grad is not None
    assert norm.residual_scale.grad.isfinite()


# Overlays of a slot or a switch are built by other tests, and these trained too.
TRAINED = ("an_class_affine", "an_value_projection_off")


@pytest.mark.parametrize(
    "path",
    [p for p in ABLATIONS if p.stem in TRAINED or not p.stem.startswith(("norm", "long_range", "an_"))],
    ids=lambda p: p.stem,
)
def test_an_overlay_of_the_game_or_the_holes_trains(path: Path, image_folder: Path, tmp_path: Path) -> None:
    base = quickstart_of(path)
    says = yaml.safe_load(path.read_text()).get("model", {}).get("init_args", {})
    # What the overlay is about is not overridden.
    shrunk = [each for each in toy(base, image_folder, tmp_path / "run") if each[8:].split("=")[0] not in says]
    arguments = ["--config", str(base), "--config", str(path), *shrunk, "--trainer.logger=false"]
    assert cli.main(["fit", *arguments]) == 0
    assert (tmp_path / "run" / "checkpoints" / "last.ckpt").exists()


@pytest.mark.parametrize("path", TRAINERS, ids=lambda path: path.stem)
def test_a_trainer_overlay_is_about_hardware(path: Path) -> None:
    says = yaml.safe_load(path.read_text())
    assert set(says) <= {"trainer", "data"}
    assert says.get("data", {"init_args": {"batch_size": 0}})["init_args"].keys() == {"batch_size"}


@pytest.mark.parametrize("path", [*RECIPES, *INPAINTING_RECIPES], ids=lambda path: path.stem)
def test_the_command_of_a_recipe_gives_its_batch(path: Path) -> None:
    """What stands behind "Batch" is what the command above it makes of configs and options."""
    text = path.read_text()
    (command,) = re.findall(r"# Command: python cli\.py fit (.*(?:\n#  .*)*)", text)
    total, devices, each = map(int, re.findall(r"# Batch: (\d+) = (\d+) devices × (\d+)", text)[0])
    config: Any = parsed(extra=tuple(shlex.split(re.sub(r"\n# *", " ", command))))
    trainer, data = config["trainer"], config["data"]["init_args"]
    assert (trainer["devices"] * trainer["num_nodes"], data["batch_size"]) == (devices, each)
    assert total == devices * each == said_by(path)["data"]["init_args"]["batch_size"]
    parts = re.findall(r"each in (\d+) parts of (\d+)", text)
    accumulate = config["model"]["init_args"]["accumulate"]
    assert [int(part) for pair in parts for part in pair] == (
        [accumulate, each // accumulate] if accumulate > 1 else []
    )


@pytest.mark.parametrize(
    "path", [path for path in TRAINERS if "# Batch: 256" in path.read_text()], ids=lambda p: p.stem
)
def test_the_batch_of_an_overlay_is_256(path: Path) -> None:
    before = [ROOT / "configs/trainer/eight_gpus.yaml"] if path.stem == "nodes" else []
    config: Any = parsed(RECIPES[0], *before, path)
    factors = re.findall(r"# Batch: 256 = ([\d ×]+)\.", path.read_text())[0].split(" × ")
    nodes = [config["trainer"]["num_nodes"]] if path.stem == "nodes" else []
    batch_size = config["data"]["init_args"]["batch_size"]
    assert [int(factor) for factor in factors] == [*nodes, config["trainer"]["devices"], batch_size]
    assert config["trainer"]["num_nodes"] * config["trainer"]["devices"] * batch_size == 256


@pytest.mark.parametrize("path", LOGGERS, ids=lambda path: path.stem)
def test_an_overlay_of_a_logger_adds_one_to_any_others(path: Path) -> None:
    other = next(each for each in LOGGERS if each != path and each.stem in ("tensorboard", "mlflow"))
    config: Any = parsed(QUICKSTART, other, path)
    plain: Any = parsed(QUICKSTART, other)
    *before, added = config["trainer"]["logger"]
    (said,) = yaml.safe_load(path.read_text())["trainer"]["logger+"]
    assert before == plain["trainer"]["logger"]
    assert added["class_path"] == said["class_path"]
    assert says_so(added["init_args"], said["init_args"])
    config["trainer"]["logger"] = before
    assert config == plain


def test_linked_facts_follow_an_override() -> None:
    config = parsed(QUICKSTART, extra=("--model.generator.image_size=64", "--model.discriminator_steps=5"))
    model, data = config["model"]["init_args"], config["data"]["init_args"]  # type: ignore[index]
    assert model["discriminator"]["init_args"]["image_size"] == data["image_size"] == 64
    assert data["batches_per_iteration"] == 5

"""The plans that come with the project: each variant is what it says, and builds."""

import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf

from lit_an.ablation.bench.plan import Variant, arguments_of
from lit_an.ablation.bench.plan_files import read_plan
from lit_an.files.configs import load_config
from lit_an.norms import AttentiveNorm2d
from tests.test_configs import ROOT, parsed

PLANS = sorted(ROOT.glob("configs/ablations/plans/*.yaml"))
VARIANTS = [(path, variant) for path in PLANS for variant in read_plan(path).variants()]


def whole(variant: Variant) -> dict[str, Any]:
    options = tuple(each for each in arguments_of(variant, 3) if not each.startswith("--config="))
    return parsed(*variant.configs, extra=options)


def value_of(config: dict[str, Any], option: str) -> Any:
    """What a config has at an option, whose name leaves ``init_args`` out."""
    found: Any = config
    for key in option.split("."):
        found = found["init_args"][key] if isinstance(found, dict) and key not in found else found[key]
    return found


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_a_plan_says_its_command(path: Path) -> None:
    assert f"# Command: python cli.py ablate configs/ablations/plans/{path.name}" in path.read_text()


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_a_plan_compares_with_a_variant_that_runs(path: Path) -> None:
    plan = read_plan(path)
    assert plan.baseline_variant() is not None
    assert len(plan.seeds) == 3


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_variants_differ_in_what_they_train_and_a_reference_is_the_recipe(path: Path) -> None:
    """An option that a recipe leaves out has the norm's default."""
    variants = read_plan(path).variants()
    recipe = OmegaConf.to_container(OmegaConf.merge(*map(load_config, variants[0].configs)))
    options = [name for variant in variants for name in variant.options if name.startswith("model.")]
    values = {name: _of_recipe(recipe, name) for name in dict.fromkeys(options)}
    trained = [repr([variant.options.get(name, value) for name, value in values.items()]) for variant in variants]
    assert len(set(trained)) == len(trained)
    if read_plan(path).design == "one_at_a_time":
        assert trained[0] == repr(list(values.values()))


def _of_recipe(recipe: Any, option: str) -> Any:
    try:
        return value_of(recipe, option)
    except KeyError:
        return inspect.signature(AttentiveNorm2d).parameters[option.rpartition(".")[2]].default


@pytest.mark.parametrize(
    "path", [each for each in PLANS if "gpus_per_node" in each.read_text()], ids=lambda path: path.stem
)
def test_a_job_has_the_gpus_of_its_run_and_the_batch_of_the_recipe(path: Path) -> None:
    variant = read_plan(path).variants()[0]
    config: Any = OmegaConf.merge(*map(load_config, variant.configs))
    assert f"gpus_per_node: {config.trainer.devices}," in path.read_text()
    (batch,) = re.findall(r"^# Batch: (\d+) = ", variant.configs[0].read_text(), re.MULTILINE)
    of_device = variant.options.get("data.batch_size", config.data.init_args.batch_size)
    assert config.trainer.devices * of_device == int(batch)


@pytest.mark.parametrize(
    ("path", "variant"),
    [
        pytest.param(*each, id=f"{each[0].stem}-{each[1].folder}", marks=[pytest.mark.slow] if index % 6 else [])
        for index, each in enumerate(VARIANTS)
    ],
)
def test_a_variant_is_what_it_says_and_its_generator_builds(path: Path, variant: Variant) -> None:
    config = whole(variant)
    for option, value in variant.options.items():
        if not option.startswith("trainer.callbacks."):
            assert value_of(config, option) == value, option
    generator = yaml.safe_load(yaml.safe_dump(config["model"]["init_args"]["generator"]))
    module, _, name = generator["class_path"].rpartition(".")
    arguments = {**generator["init_args"], **generator.get("dict_kwargs", {})}
    width = "width" if "width" in arguments else "base_width"
    getattr(importlib.import_module(module), name)(**{**arguments, width: 2})

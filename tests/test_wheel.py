"""The wheel: what it holds is enough, in a folder far from the repository."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_line.small_runs import arguments, load

ROOT = Path(__file__).parent.parent
PROJECT = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE", "cli.py", "lit_an", "callbacks", "configs")

# What the project needs beyond torch, for all but its norms.
REFUSED = [
    "pytorch_lightning",
    "lightning_fabric",
    "lightning_utilities",
    "torchmetrics",
    "omegaconf",
    "jsonargparse",
    "yaml",
    "tensorboard",
    "PIL",
    "tqdm",
    "torchvision",
    "safetensors",
]
NORM = f"""
import importlib.abc, sys

class Refusing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {REFUSED}:
            raise ImportError(f"{{name}} is not there")

sys.meta_path.insert(0, Refusing())
import torch
from lit_an.norms import AttentiveNorm2d
norm = AttentiveNorm2d(8, num_regions=3)
norm(torch.randn(2, 8, 6, 6)).sum().backward()
import lit_an
print(lit_an.__file__)
"""
# Nothing but the standard library and the wheel.
HELP_ALONE = "import sys; sys.path.insert(0, {site!r}); import cli; cli.main(['--help'])"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the wheel installs, and nothing else."""
    place = tmp_path_factory.mktemp("wheel")
    (place / "project").mkdir()
    for name in PROJECT:  # a build leaves files beside its sources
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, place / "project" / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    build = [*pip, "wheel", ".", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(place)]
    subprocess.run(build, check=True, cwd=place / "project", capture_output=True)
    (wheel,) = place.glob("lit_an-*.whl")
    install = [*pip, "install", "--no-deps", "--no-index", "--target", str(place / "site"), str(wheel)]
    subprocess.run(install, check=True, cwd=place, capture_output=True)
    return place / "site"


def run(command: list[str], site: Path, folder: Path, expected: int = 0) -> str:
    """What a command in another working folder prints, errors too."""
    environment = {**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert done.returncode == expected, done.stdout
    return done.stdout


def test_files_beside_modules_are_in_it(site: Path) -> None:
    folder = ROOT / "lit_an"
    beside = [path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")]
    assert len(beside) > 20
    assert [path for path in beside if not (site / "lit_an" / path.relative_to(folder)).is_file()] == []


def test_the_norm_needs_torch_alone(site: Path, tmp_path: Path) -> None:
    assert run([sys.executable, "-W", "error::RuntimeWarning", "-c", NORM], site, tmp_path).strip() == str(
        site / "lit_an" / "__init__.py"
    )


def test_the_compiled_path_finds_its_sources(site: Path) -> None:
    sources = {path.name for path in (ROOT / "lit_an/norms/attentive/kernel").iterdir() if path.suffix in (".c", ".h")}
    assert "attentive.c" in sources
    assert {path.name for path in (site / "lit_an/norms/attentive/kernel").iterdir()} >= sources
    assert (site / "lit_an" / "py.typed").is_file()


def test_all_configs_are_there(site: Path) -> None:
    ours, theirs = (
        {str(path.relative_to(root)) for path in root.rglob("*.yaml")}
        for root in (ROOT / "configs", site / "share/lit_an/configs")
    )
    assert theirs == ours


def test_the_showcase_is_there_and_works(site: Path, tmp_path: Path) -> None:
    ours, theirs = (
        {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*.*") if path.suffix != ".pyc"}
        for root in (ROOT / "lit_an/showcase", site / "lit_an/showcase")
    )
    assert theirs == ours
    assert "inpainting/generator.safetensors" in ours
    options = ["--samples_per_class=1", "--write=[png]", "--classes=[desert]"]
    said = run([str(site / "bin" / "lit-an"), "sample", *options], site, tmp_path)
    assert str(site / "lit_an/showcase/class_conditional/README.md") in said
    assert (tmp_path / "predictions/showcase_class_conditional/desert/00000.png").is_file()


def test_the_help_of_the_commands_needs_nothing(site: Path, tmp_path: Path) -> None:
    code = HELP_ALONE.format(site=str(site))
    assert "generate images with a class-conditional generator" in run(
        [sys.executable, "-I", "-S", "-c", code], site, tmp_path
    )


def test_lit_an_is_a_command(site: Path, tmp_path: Path) -> None:
    program = str(site / "bin" / "lit-an")
    (tmp_path / "configs").mkdir()  # of something else
    said = run([program, "--help"], site, tmp_path)
    assert said.startswith("usage: lit-an COMMAND [options]")
    assert f"fit --config {site}/share/lit_an/configs/class_conditional/earth_quickstart.yaml" in said
    assert "(lit-an sample --ckpt_path FILE)" in run([program, "predict"], site, tmp_path, expected=2)
    assert "there is no command 'fitt', did you mean 'fit'?" in run([program, "fitt"], site, tmp_path, expected=2)


@pytest.mark.slow
def test_two_processes_train_with_the_console_script(site: Path, image_folder: Path, tmp_path: Path) -> None:
    """Of the wheel alone: its configs, its modules, and a second process that the first one starts."""
    (tmp_path / "sitecustomize.py").write_text(
        "import atexit, json, os, sys\n"
        "def tell():\n"
        "    names = ('cli', 'lit_an', 'callbacks', 'lit_an.tasks.adversarial')\n"
        "    files = [sys.modules[name].__file__ for name in names if name in sys.modules]\n"
        "    if files:\n"
        "        open(f\"files_{os.environ.get('LOCAL_RANK', 0)}.json\", 'w').write(json.dumps(files))\n"
        "atexit.register(tell)\n"
    )
    options = arguments(image_folder, tmp_path / "run", "--trainer.devices=2", "--trainer.strategy=ddp")
    options[1] = f"--config={site / 'share/lit_an/configs/class_conditional/earth32_pixels.yaml'}"
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{site}", "OMP_NUM_THREADS": "1"}
    command = [str(site / "bin" / "lit-an"), *options, "--data.batch_size=2", "--trainer.accelerator=cpu"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert load(tmp_path / "run")["state_dict"]["_extra_state"] == {"iteration": 2, "images_seen": 8}  # type: ignore[index]
    for rank in (0, 1):
        files = json.loads((tmp_path / f"files_{rank}.json").read_text())
        assert len(files) == 4
        assert all(Path(file).is_relative_to(site) for file in files), files

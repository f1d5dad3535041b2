"""Small real trainings for the report: their pictures, configs and command lines."""

import csv
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from lit_an.device_checks.rows import Setting
from lit_an.machine.workers import named_launcher

TaskName = Literal["class-conditional", "inpainting"]
TASKS: tuple[TaskName, ...] = ("class-conditional", "inpainting")
CLASSES = ("dark", "light", "striped")
_LAST_LINES = 3


def make_pictures(folder: Path, side: int, per_class: int = 16) -> None:
    """Writes PNGs that differ by class; the same ones for the same arguments."""
    draws = np.random.default_rng(0)
    for number, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for index in range(per_class):
            pixels = draws.integers(0, 120, (side, side, 3))
            pixels[:: 2 if number == 2 else side + 1] += 100
            pixels += 90 * (number == 1)
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / name / f"{index:03}.png")


def config_of(task: TaskName, setting: Setting, images: Path) -> dict[str, Any]:
    """The config of a small training of that task on that device."""
    side, width, batch = (32, 4, 4) if setting.dry_run else (64, 32, 16)
    model = _class_conditional(side, width) if task == "class-conditional" else _inpainting(side, width)
    adam = {"class_path": "torch.optim.Adam", "init_args": {"lr": 0.0002, "betas": [0.0, 0.9], "fused": True}}
    model["init_args"] |= {"generator_optimizer": adam, "discriminator_optimizer": adam}
    source = "ImageFolder" if task == "class-conditional" else "Photographs"
    return {
        "seed_everything": 0,
        "model": model,
        "data": {
            "class_path": "lit_an.data." + ("ClassData" if task == "class-conditional" else "InpaintingData"),
            "init_args": {
                "source": {
                    "class_path": f"lit_an.data.sources.{source}",
                    "init_args": {"root": str(images), "val_fraction": 0.25},
                },
                "image_size": side,
                "batch_size": batch,
                "num_workers": 0,
            },
        },
        "trainer": {
            "accelerator": "cpu" if setting.device == "cpu" else "gpu",
            "devices": setting.devices,
            "log_every_n_steps": 1,
            "limit_val_batches": 0,
            "callbacks": [
                {"class_path": "callbacks.GeneratorEMA", "init_args": {"decay": 0.9}},
                {"class_path": "callbacks.Checkpointing", "init_args": {"every_iterations": 0}},
            ],
        },
    }


def _class_conditional(side: int, width: int) -> dict[str, Any]:
    common = {"image_size": side, "num_classes": len(CLASSES), "base_width": width}
    slot = {"long_range": "attentive", "long_range_resolution": side // 2}
    return {
        "class_path": "lit_an.tasks.ClassConditionalGAN",
        "init_args": {
            "generator": {"class_path": "lit_an.networks.ResNetGenerator", "init_args": {**common, **slot}},
            "discriminator": {"class_path": "lit_an.networks.ProjectionDiscriminator", "init_args": dict(common)},
        },
    }


def _inpainting(side: int, width: int) -> dict[str, Any]:
    return {
        "class_path": "lit_an.tasks.InpaintingGAN",
        "init_args": {
            "generator": {"class_path": "lit_an.networks.CoarseToFineGenerator", "init_args": {"width": width // 2}},
            "discriminator": {
                "class_path": "lit_an.networks.GlobalAndLocalCritics",
                "init_args": {"image_size": side, "base_width": width},
            },
            "discriminator_steps": 1,
            "adversarial_loss": "wasserstein",
            "gradient_penalty_weight": 10.0,
            "losses": {"id_mrf_weight": 0.0},
        },
    }


@dataclass(frozen=True)
class Ran:
    """A command that ended.

    Args:
        code: its exit code; negative for a signal.
        last: what it printed last, on one line.
    """

    code: int
    last: str


def command_line(folder: Path, *arguments: str, seconds: float = 240.0) -> Ran:
    """Runs a command of lit_an in a process of its own.

    Args:
        folder: working folder.
        arguments: the command and its options.
        seconds: it is killed after; its exit code then is −9.
    """
    path = os.pathsep.join(filter(None, [_ROOT, os.environ.get("PYTHONPATH", "")]))
    # In the group of this process, so that whoever ends a part ends its runs.
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli", *arguments],
            cwd=folder,
            env={**os.environ, **named_launcher(), "PYTHONPATH": path},
            stdout=output,
            stderr=output,
        )
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        output.seek(0)
        said = output.read()
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return Ran(process.returncode, " / ".join(lines[-_LAST_LINES:]))


# Where cli.py and its callbacks are, which a folder elsewhere does not show.
_ROOT = str(Path(sys.modules["lit_an"].__file__ or "").parent.parent)


def fit(setting: Setting, name: str, config: dict[str, Any], iterations: int, *options: str) -> tuple[Ran, Path]:
    """Trains a config under a name; the run folder too is given back."""
    path = setting.folder / f"{name}.yaml"
    path.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
    return fit_configs(setting, name, [path], iterations, *options)


def fit_configs(
    setting: Setting, name: str, configs: Sequence[Path], iterations: int, *options: str
) -> tuple[Ran, Path]:
    """Trains config files, each an overlay of those before it, under a name."""
    run = setting.folder / name
    files = [f"--config={path.resolve()}" for path in configs]
    arguments = (*files, f"--run_folder={run}", f"--iterations={iterations}", *options)
    return command_line(setting.folder, "fit", *arguments), run


def logged(run: Path) -> list[dict[str, float]]:
    """The rows of a run's metrics.csv."""
    with (run / "metrics.csv").open(newline="") as file:
        return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]

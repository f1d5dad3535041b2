"""Commands for tests: a small config, shrunk to width 2 and to three classes of small files."""

import subprocess
import sys
from pathlib import Path

import torch

ROOT = Path(__file__).parent.parent.parent
SMALL_CLASSES = str(ROOT / "configs/class_conditional/earth32_pixels.yaml")


def arguments(image_folder: Path, run_folder: Path, *more: str, command: str = "fit") -> list[str]:
    return [
        command,
        f"--config={SMALL_CLASSES}",
        f"--run_folder={run_folder}",
        "--iterations=2",
        "--trainer.limit_val_batches=1",
        "--trainer.log_every_n_steps=1",
        "--model.generator.base_width=2",
        "--model.generator.num_classes=3",
        "--model.discriminator.base_width=2",
        *data_options(image_folder),
        *more,
    ]


def data_options(image_folder: Path) -> list[str]:
    """Options for batches of 4 of the images of a folder, 32 px."""
    return [
        "--data.source=lit_an.data.sources.ImageFolder",
        f"--data.source.root={image_folder}",
        "--data.batch_size=4",
    ]


def start(argv: list[str], **kwargs: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, str(ROOT / "cli.py"), *argv],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **kwargs,  # type: ignore[call-overload]
    )


def load(folder: Path) -> dict[str, object]:
    checkpoint: dict[str, object] = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    return checkpoint

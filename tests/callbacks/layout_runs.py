"""A class-conditional task whose networks both have a layout, and what a measurement of it writes, for tests."""

import json
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback

from lit_an.data import ClassData
from lit_an.data.sources import Earth
from lit_an.networks import ProjectionDiscriminator, ResNetGenerator
from lit_an.tasks import AdversarialTask, ClassConditionalGAN
from tests.training import (
    ADAM,
    make_trainer,
)


def earth_task(norm: str = "attentive") -> ClassConditionalGAN:
    """Both networks have a layout, of four regions at 8×8."""
    torch.manual_seed(0)
    regions: Any = {"num_regions": 4, "temperature": 1.0} if norm == "attentive" else {}
    slot: Any = {"long_range": norm, "long_range_resolution": 8, "long_range_kwargs": regions}
    generator = ResNetGenerator(32, num_classes=6, latent_dim=8, base_width=2, **slot)
    return ClassConditionalGAN(generator, ProjectionDiscriminator(32, 6, base_width=2, **slot), ADAM, ADAM)


def earth_data(tiles: Earth, **kwargs: Any) -> ClassData:
    return ClassData(tiles, 32, batch_size=4, **kwargs)


def written_by_a_test(
    folder: Path, task: AdversarialTask, data: pl.LightningDataModule, *callbacks: Callback, **kwargs: Any
) -> dict[str, Any]:
    """What a test of an untrained task writes."""
    make_trainer(folder, task, 1, list(callbacks), **kwargs).test(task, datamodule=data, verbose=False)
    stored: dict[str, Any] = json.loads((folder / "layout_scores_test_0000000.json").read_text())
    return stored


def colorful(task: ClassConditionalGAN) -> ClassConditionalGAN:
    """Its images are more than gray."""
    with torch.no_grad():
        for parameter in task.generator.final_norm.parameters():  # type: ignore[union-attr]
            parameter.add_(10 * torch.randn_like(parameter))
    return task

"""Calibration of the initial sharpness of semantic layouts."""

from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.utilities.rank_zero import rank_zero_info

from callbacks.one_per_run import check_place
from lit_an.batch import collate
from lit_an.errors import InputError
from lit_an.norms.attentive.calibration import calibrate_layouts
from lit_an.norms.attentive.semantic_layout import SemanticLayout
from lit_an.tasks.adversarial import AdversarialTask

_SEED = 2020


class LayoutCalibration(Callback):
    """Scales the entity filters of every semantic layout, once, before a new training begins.

    The initial sharpness of a layout depends on its input features, and so on the width, depth and initialization of
    the network. The callback runs both networks once on held-out images and random latents, in training mode, and gives
    each layout the same effective number of regions at a position. It does nothing in a resumed run or for a network
    without layouts.

    Args:
        regions_per_position: exp of the mean entropy of a position's membership, between 1 and the number of regions;
            None takes that number to the power 0.712, 7.2 of 16.
        images: images to run the networks on, ≥ 1.

    Attributes:
        one_per_run: a second one would scale again what the first has scaled.

    Raises:
        InputError: a number out of range; when a run starts, a data module that cannot be indexed, or a second one of
            the class.
    """

    one_per_run = True

    def __init__(self, regions_per_position: float | None = None, images: int = 16) -> None:
        if images < 1:
            raise InputError(f"LayoutCalibration: images must be at least 1, got {images}")
        if regions_per_position is not None and not regions_per_position > 1:
            raise InputError(
                f"LayoutCalibration: regions_per_position must be greater than 1, got {regions_per_position}"
            )
        self.regions_per_position, self.images = regions_per_position, images
        self._factors: dict[str, float] = {}

    def setup(self, trainer: pl.Trainer, task: AdversarialTask, stage: str) -> None:
        """Calibrates before other callbacks copy the weights and a strategy wraps them. A checkpoint overwrites it."""
        check_place(self, trainer, task)
        has_layouts = any(isinstance(module, SemanticLayout) for module in task.modules())
        if stage != "fit" or task.iteration > 0 or not has_layouts:
            return
        data: Any = getattr(trainer, "datamodule", None)
        if not hasattr(data, "dataset"):
            raise InputError("LayoutCalibration needs a data module with a method dataset(split), such as ImageFolder")
        task.check_data(data)  # before the networks run on them
        dataset = data.dataset("val")
        count = min(self.images, len(dataset))
        batch = collate([dataset[index * len(dataset) // count] for index in range(count)])

        def run() -> None:
            torch.manual_seed(_SEED)  # the same in every process
            task.run_networks(batch)

        self._factors = calibrate_layouts(task, run, self.regions_per_position)

    def on_fit_start(self, trainer: pl.Trainer, task: AdversarialTask) -> None:
        if task.iteration == 0:  # otherwise the weights come from a checkpoint
            for name, factor in self._factors.items():
                rank_zero_info(f"LayoutCalibration: the filters of {name} were multiplied by {factor:.3g}")

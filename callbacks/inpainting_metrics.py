"""Metrics of an inpainting model and of baselines, at validations and tests."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple

import pytorch_lightning as pl
import torch
from torch import Tensor

from callbacks.measuring.base import Measuring, Stage, check_images, float64_device, label_of
from callbacks.measuring.outcomes import share_outcome
from lit_an.batch import InpaintingBatch
from lit_an.errors import InputError
from lit_an.metrics.baselines import BASELINES
from lit_an.metrics.feature_networks.lpips import Lpips
from lit_an.metrics.feature_networks.lpips_weights import MissingWeightsError
from lit_an.metrics.feature_set import FeatureCollector, FeatureSet
from lit_an.metrics.image_scores import ScoreCollector, image_scores, too_small, write_scores
from lit_an.metrics.inpainting import (
    BaselineFigures,
    InpaintingResult,
    Measured,
    baseline_figures,
    inpainting_result,
)
from lit_an.metrics.reference_statistics import ContentHash, ReferenceStatistics, describe, key_of
from lit_an.tasks.adversarial import AdversarialTask
from lit_an.tensors.holes import composite

Fill = Callable[[Tensor, Tensor], Tensor]


class MeasuredImages(NamedTuple):
    """The images to measure on: a task, a data set and positions in it."""

    trainer: pl.Trainer
    task: AdversarialTask
    dataset: Any
    position: Tensor


class ContentHashes(NamedTuple):
    """Hashes of the contents of the images and the masks."""

    image: ContentHash
    mask: ContentHash


class InpaintingMetrics(Measuring):
    """Measures an inpainting model, with averaged weights where there are any, on the images and masks of a split.

    At every ``every_validations``-th validation, and at every ``validate`` and ``test``, it fills the hole of each
    image on all processes and logs ``val/l1``, ``val/psnr``, ``val/ssim``, ``val/ms_ssim``, ``val/lpips``, the same
    over the hole alone as ``val/hole_…``, ``val/fid``, ``val/p_ids`` and ``val/u_ids`` (``test/…``). All
    figures, also per bin of hole area, and all settings that they depend on are written to
    ``<run folder>/metrics_<stage>_<iteration>.json``, the figures of each image to the ``.csv`` beside it.

    The composite is measured: known pixels from the image, holes from the model's ``fine``.

    The task has ``inpaint(image, mask) -> Inpainted``; the data module has ``dataset(split)``, whose items are
    ``InpaintingBatch``, and may have ``name(split, index)``, an image's name for the CSV file.

    Args:
        every_validations: validations between measurements, ≥ 1.
        images: images to measure with, ≥ 2, evenly spread over the split; None takes all.
        extractor: ``efficientnet_lite0`` (comes with a package), ``inception_v3`` (as in papers) or ``torchscript``;
            None leaves FID, P-IDS and U-IDS out.
        extractor_kwargs: arguments of the extractor, such as the path of a file.
        lpips: ``alex`` (as in papers) or ``vgg``; None leaves LPIPS out.
        lpips_weights: the file of its weights; ``lit_an.metrics.feature_networks.lpips_weights.load_lpips_weights``
            says where None looks for it. Without weights, LPIPS is absent with a warning.
        baselines: baselines to measure, once per run: ``mean`` (the mean color of the known pixels) and
            ``biharmonic`` (the smoothest surface; 0.6 s for a 128 × 128 hole). None takes ``mean``.
        baseline_images: images that a slow baseline fills, evenly spread over those measured, ≥ 1.
        batch_size: images at a time on one device; the figures do not depend on it.
        keep: features of at most so many images are kept for P-IDS, U-IDS and the figures of bins, evenly spread.
        cache_dir: folder of the real images' features; None takes ``lit_an/reference_statistics`` in
            ``$XDG_CACHE_HOME`` or ``~/.cache``.

    Raises:
        InputError: a number out of range, or an unknown baseline; when a run starts, what the extractor and LPIPS
            raise, a task that does not inpaint, or data that cannot be counted and indexed or have no masks.
    """

    def __init__(
        self,
        every_validations: int = 1,
        images: int | None = None,
        extractor: str | None = "efficientnet_lite0",
        extractor_kwargs: dict[str, bool | int | float | str] | None = None,
        lpips: Literal["alex", "vgg"] | None = "alex",
        lpips_weights: str | None = None,
        baselines: list[str] | None = None,
        baseline_images: int = 16,
        batch_size: int = 16,
        keep: int = 50_000,
        cache_dir: str | None = None,
    ) -> None:
        self._at_least(2, images=images)
        self._at_least(1, baseline_images=baseline_images)
        super().__init__(every_validations, extractor, extractor_kwargs, batch_size, keep, cache_dir)
        self.images, self.lpips, self.lpips_weights = images, lpips, lpips_weights
        self.baselines, self.baseline_images = ["mean"] if baselines is None else baselines, baseline_images
        self._fillings = {name: BASELINES.create(name) for name in self.baselines}
        self._lpips: Lpips | None = None
        self._no_lpips: list[str] = []
        # By what they depend on; None and nothing in all processes but the first.
        self._references: dict[str, ReferenceStatistics | None] = {}
        self._baseline_figures: dict[str, dict[str, BaselineFigures]] = {}

    def setup(self, trainer: pl.Trainer, task: AdversarialTask, stage: str) -> None:
        """Makes the networks that measure now: errors appear before training."""
        super().setup(trainer, task, stage)
        if not hasattr(task, "inpaint"):
            raise InputError(f"InpaintingMetrics measures a task with inpaint(image, mask), not {type(task).__name__}")
        if self.lpips is not None and self._lpips is None:
            self._make_lpips(trainer, self.lpips)

    def _make_lpips(self, trainer: pl.Trainer, network: str) -> None:
        made, self._no_lpips = None, ["lpips: absent, since one of the processes has no weights"]
        try:
            made = Lpips(network, self.lpips_weights)
        except MissingWeightsError as error:
            self._no_lpips = [str(error)]
        # In all processes or in none: their tables must have the same columns.
        if trainer.strategy.reduce_boolean_decision(made is not None):
            self._lpips, self._no_lpips = made, []

    # What

    def _most_images(self) -> int | None:
        return self.images

    def _measure(self, trainer: pl.Trainer, task: AdversarialTask, stage: Stage) -> None:
        for network, device in ((self._network, task.device), (self._lpips, float64_device(task))):
            if network is not None:
                network.to(device)
        dataset = trainer.datamodule.dataset(stage)  # type: ignore[attr-defined]
        images = MeasuredImages(trainer, task, dataset, self._chosen(trainer, dataset, stage, self.images))
        contents = ContentHashes(ContentHash(len(images.position)), ContentHash(len(images.position)))
        measured = self._filled(images, "inpainting", partial(_inpainted, task), contents=contents)
        check_images(measured.scores["l1"].isfinite().all())
        described = self._described(images, contents)
        real = self._real(images, contents, described)
        baselines = self._of_baselines(images, real, json.dumps(described))
        outcome: InpaintingResult | None = None
        if trainer.is_global_zero:
            absent = [*self._no_lpips, *too_small(contents.image.image_size, self._lpips)]
            outcome = inpainting_result(measured, real, described, baselines, absent, float64_device(task))
        result = share_outcome(trainer, outcome)
        if trainer.is_global_zero:
            names = [self._name(trainer, stage, position) for position in measured.position.tolist()]
            path = self._file(trainer, task, stage, result).with_suffix(".csv")
            self._write(trainer, lambda: write_scores(path, measured.position, names, measured.scores))
        logged = {name: value for name, value in result.figures.items() if not name.endswith("_percent")}
        self._report(trainer, task, stage, stage, result, logged)

    def _filled(
        self,
        images: MeasuredImages,
        what: str,
        fill: Fill,
        with_features: bool = True,
        contents: ContentHashes | None = None,
    ) -> Measured:
        """Scores one way of filling holes; also hashes the images and masks if ``contents`` is given."""
        trainer, task, dataset, position = images
        table, features = ScoreCollector(len(position)), None
        if with_features and self._network is not None:
            features = FeatureCollector(len(position), self.keep)
        for batch, index in self._shared_out(trainer, dataset, position, what):
            _check_kind(batch)
            if contents is not None:
                contents.image.add(batch.image, label_of(batch), index)
                contents.mask.add_masks(batch.mask, index)
            image, mask = batch.image.to(task.device), batch.mask.to(task.device)
            filled = composite(image, fill(image, mask), mask)
            device = float64_device(task)
            table.add(image_scores(image.to(device), filled.to(device), mask.to(device), self._lpips), index)
            if features is not None:
                features.add(self._see(filled), label_of(batch), index)
        scores = table.collected(task.device)
        return Measured(position, scores, None if features is None else features.collected())

    def _described(self, images: MeasuredImages, contents: ContentHashes) -> dict[str, Any]:
        """Everything that the figures depend on except the model; every process must call this."""
        image_hash, mask_hash = (content.hexdigest(images.task.device) for content in contents)
        size = list(contents.image.image_size)
        return {
            "extractor": None if self._network is None else self._network.description(),
            "lpips": None if self._lpips is None else self._lpips.description(),
            "images": {"content_sha256": image_hash, "image_size": size, "count": len(images.position)},
            "masks": {"sha256": mask_hash},
        }

    def _real(self, images: MeasuredImages, contents: ContentHashes, described: dict[str, Any]) -> FeatureSet | None:
        """Features of the real images, in the first process."""
        if self._network is None:
            return None
        trainer, task, dataset, position = images
        content_hash, extractor = described["images"]["content_sha256"], described["extractor"]
        depends_on = describe(contents.image, content_hash, len(position), self.keep, extractor)
        key = key_of(depends_on)
        if key not in self._references:
            batches = self._shared_out(trainer, dataset, position, "seeing")
            self._references[key] = self._reference(trainer, task, depends_on, batches)
        found = self._references[key]
        return None if found is None else found.features

    def _of_baselines(self, images: MeasuredImages, real: FeatureSet | None, key: str) -> dict[str, BaselineFigures]:
        """Figures of the baselines on the same images and masks, in the first process; measured once."""
        if key in self._baseline_figures:
            return self._baseline_figures[key]
        found, every = self._baseline_figures.setdefault(key, {}), images.position
        for name, baseline in self._fillings.items():
            # At least one image for each process.
            count = max(self.baseline_images, images.trainer.world_size) if baseline.slow else len(every)
            count = min(count, len(every))
            part, whole = every[torch.arange(count) * len(every) // count], count == len(every)
            measured = self._filled(images._replace(position=part), name, baseline, with_features=whole)
            if images.trainer.is_global_zero:
                found[name] = baseline_figures(measured, real if whole else None, float64_device(images.task))
        return found

    def _name(self, trainer: pl.Trainer, split: str, position: int) -> str:
        name = getattr(trainer.datamodule, "name", None)  # type: ignore[attr-defined]
        return str(name(split, position)) if callable(name) else str(position)


def _inpainted(task: Any, image: Tensor, mask: Tensor) -> Tensor:
    with task.evaluation():
        return task.inpaint(image, mask).fine.float()


def _check_kind(batch: Any) -> None:
    if not isinstance(batch, InpaintingBatch):
        raise InputError(
            f"InpaintingMetrics needs images with masks, whose batches are InpaintingBatch, not {type(batch).__name__}"
        )

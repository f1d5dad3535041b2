"""FID and its kin of what the generator makes, at validations and tests."""

from typing import Literal

import pytorch_lightning as pl
import torch

from callbacks.measuring import Measuring, Stage, agreed, float64_device, shown
from lit_an.batch import SampleRequest
from lit_an.errors import InputError
from lit_an.metrics.feature_set import FeatureCollector, FeatureSet
from lit_an.metrics.generation import GenerationResult, generation_result
from lit_an.metrics.reference_statistics import ContentHash, ReferenceStatistics, describe
from lit_an.tasks.class_conditional import ClassConditionalGAN

LOGGED = ("fid", "kid", "inception_score", "precision", "recall", "density", "coverage", "intra_fid")


class GenerationMetrics(Measuring):
    """Measures the generator, with averaged weights where there are any, against real images.

    At every so many validations of a training, and at every ``validate`` and ``test``, it generates ``num_images``
    images on all processes, each class alike often, and logs ``val/fid``, ``val/kid``, ``val/inception_score``,
    ``val/precision``, ``val/recall``, ``val/density``, ``val/coverage`` and ``val/intra_fid`` (``test/…``). All of
    it, with what it may be compared with, is in ``<run folder>/metrics_<stage>_<iteration>.json``.

    Each image is a function of its class and number alone: those that ``predict`` writes for
    ``samples_per_class`` = ``num_images`` / number of classes.

    Args:
        num_images: images to generate, ≥ 2; published figures take 50,000.
        every_validations: validations of a training from one measurement to the next, ≥ 1.
        extractor: ``efficientnet_lite0`` (comes with a package), ``inception_v3`` (as in papers) or ``torchscript``.
        extractor_kwargs: arguments of the extractor, such as the path of a file.
        batch_size: images at a time on one device; the figures do not depend on it.
        real_split: the split of the real images; None takes the stage's own, ``val`` or ``test``.
        real_images: real images to compare with, evenly spread over the split; None takes all.
        keep: features of at most so many images of either side are kept for KID, precision to coverage and
            intra-FID, evenly spread, ≥ 1.
        cache_dir: folder of the reference statistics; None takes ``lit_an/reference_statistics`` in
            ``$XDG_CACHE_HOME`` or ``~/.cache``.

    Raises:
        InputError: a number out of range; when a run starts, what the extractor raises, or data that cannot be
            counted and indexed.
    """

    def __init__(
        self,
        num_images: int = 10_000,
        every_validations: int = 1,
        extractor: str = "efficientnet_lite0",
        extractor_kwargs: dict[str, bool | int | float | str] | None = None,
        batch_size: int = 64,
        real_split: Literal["train", "val", "test"] | None = None,
        real_images: int | None = None,
        keep: int = 50_000,
        cache_dir: str | None = None,
    ) -> None:
        self._at_least(2, num_images=num_images, real_images=real_images)
        super().__init__(every_validations, extractor, extractor_kwargs, batch_size, keep, cache_dir)
        self.num_images, self.real_split, self.real_images = num_images, real_split, real_images
        self._references: dict[str, ReferenceStatistics | None] = {}  # None in all processes but the first

    def setup(self, trainer: pl.Trainer, task: ClassConditionalGAN, stage: str) -> None:
        super().setup(trainer, task, stage)
        if stage != "predict" and self.num_images < trainer.world_size:
            raise InputError(
                f"GenerationMetrics: num_images={self.num_images} is less than the number of processes, "
                f"{trainer.world_size}; raise it"
            )

    def _measure(self, trainer: pl.Trainer, task: ClassConditionalGAN, stage: Stage) -> None:
        assert self._network is not None
        self._network.to(task.device)
        split = self.real_split or stage
        if split not in self._references:
            self._references[split] = self._real(trainer, task, split)
        fake = self._generated(trainer, task)
        outcome: GenerationResult | InputError | None = None
        if trainer.is_global_zero:
            outcome = self._compute(task, fake, self._references[split])
        result = agreed(trainer, outcome)
        logged = {name: result.figures[name] for name in LOGGED if name in result.figures}
        self._report(trainer, task, stage, split, result, logged)

    def _compute(
        self, task: ClassConditionalGAN, fake: FeatureSet, reference: ReferenceStatistics | None
    ) -> GenerationResult | InputError:
        assert self._network is not None
        assert reference is not None
        described = self._network.description()
        try:
            return generation_result(fake, described, reference, task.num_classes, float64_device(task))
        except InputError as error:  # raised in every process, so that none waits for the others
            return error

    def _generated(self, trainer: pl.Trainer, task: ClassConditionalGAN) -> FeatureSet:
        """Features of the generated images: image i of N is of class ⌊i K / N⌋, its seed counts inside the class."""
        collector = FeatureCollector(self.num_images, self.keep, with_scores=True)
        numbers = torch.arange(trainer.global_rank, self.num_images, trainer.world_size)
        for index in shown(trainer, "generating", numbers.split(self.batch_size)):
            label = index * task.num_classes // self.num_images
            first = -(-label * self.num_images // task.num_classes)
            request = SampleRequest(label.to(task.device), (index - first).to(task.device))
            with task.evaluation():
                images = task.predict_step(request, 0)
            collector.add(self._see(images), label, index)
        return collector.collected()

    def _real(self, trainer: pl.Trainer, task: ClassConditionalGAN, split: str) -> ReferenceStatistics | None:
        """The reference statistics of the split's images, in the first process."""
        assert self._network is not None
        dataset = trainer.datamodule.dataset(split)  # type: ignore[attr-defined]
        positions = self._chosen(trainer, dataset, split, self.real_images)
        count = len(positions)
        content = ContentHash(count)
        for batch, index in self._shared_out(trainer, dataset, positions, f"hashing {split}"):
            content.add(batch.image, batch.label, index)
        described = describe(content, content.hexdigest(task.device), count, self.keep, self._network.description())
        batches = self._shared_out(trainer, dataset, positions, f"seeing {split}")
        return self._reference(trainer, task, described, batches)

"""FID and other metrics of generated images, at validations and tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from torch import Tensor

from callbacks.measuring.base import (
    Measuring,
    Stage,
    check_images,
    float64_device,
    with_progress,
)
from callbacks.measuring.outcomes import in_first_process, share_outcome
from lit_an.errors import InputError
from lit_an.latents import standing_batches
from lit_an.metrics.class_distances import ClassDistances
from lit_an.metrics.feature_networks.extractors import Features
from lit_an.metrics.feature_set import FeatureCollector, FeatureSet
from lit_an.metrics.generation import GenerationResult, generation_result
from lit_an.metrics.protocols import ProtocolName, Split, Statistics, protocol_of
from lit_an.metrics.reference_statistics import ContentHash, ReferenceStatistics, describe
from lit_an.norms.running_statistics import estimated_statistics
from lit_an.tasks.class_conditional import ClassConditionalGAN

LOGGED = ("fid", "kid", "inception_score", "precision", "recall", "density", "coverage", "intra_fid")


class GenerationMetrics(Measuring):
    """Measures the generator, with averaged weights where there are any, against real images.

    At every ``every_validations``-th validation, and at every ``validate`` and ``test``, it generates ``num_images``
    images on all processes and logs ``val/fid``, ``val/kid``, ``val/inception_score``,
    ``val/precision``, ``val/recall``, ``val/density``, ``val/coverage`` and ``val/intra_fid`` (``test/…``). The
    figures and all settings that they depend on are written to ``<run folder>/metrics_<stage>_<iteration>.json``.

    Each image is a function of its class and its number in the class alone: those that the command ``sample`` writes
    for so many ``samples_per_class``.

    Args:
        num_images: images to generate, ≥ 2; None takes those of the protocol, or 10,000 without one.
        every_validations: validations between measurements, ≥ 1.
        extractor: ``efficientnet_lite0`` (comes with a package), ``inception_v3`` (as in papers) or ``torchscript``;
            None takes that of the protocol, or ``efficientnet_lite0`` without one.
        extractor_kwargs: arguments of the extractor, such as the path of a file.
        batch_size: images at a time on one device; the figures do not depend on it.
        real_split: the split of the real images; None takes that of the protocol, or the stage's own, ``val`` or
            ``test``, without one.
        real_images: real images to compare with, evenly spread over the split; None takes all.
        keep: features of at most so many images of either side are used for KID, precision to coverage and, without
            ``images_per_class``, intra-FID, evenly spread, ≥ 1.
        cache_dir: folder of the reference statistics; None takes ``lit_an/reference_statistics`` in
            ``$XDG_CACHE_HOME`` or ``~/.cache``.
        protocol: ``an_paper``, ``biggan``, ``miyato`` or ``studiogan``: the counts, split, extractor and statistics of
            a paper, see ``lit_an.metrics.protocols``; an argument that contradicts it is an error.
        images_per_class: images of each class to generate for intra-FID, class by class, ≥ 2, or ``real`` for as many
            as there are real ones; then the features of all real images are kept. None takes that of the protocol, or
            the kept images of ``num_images``.
        statistics: of the generator's batch norm: ``running`` (kept in training) or ``standing`` (estimated from
            the averaged weights, see ``lit_an.sampling.standing_statistics``); None takes those of the protocol, or
            ``running`` without one.
        class_shares: images of each class: the same number (``even``), or in the shares of the real images (``real``),
            so that a difference of the shares is not part of the distance.
        standing_passes: batches of 64 that standing statistics are estimated from, ≥ 1; every process runs all.

    Raises:
        InputError: a number out of range, an unknown protocol or an argument that contradicts it; when a run starts,
            what the extractor raises, or data that cannot be counted and indexed.
    """

    def __init__(
        self,
        num_images: int | None = None,
        every_validations: int = 1,
        extractor: str | None = None,
        extractor_kwargs: dict[str, bool | int | float | str] | None = None,
        batch_size: int = 64,
        real_split: Split | None = None,
        real_images: int | None = None,
        keep: int = 50_000,
        cache_dir: str | None = None,
        protocol: ProtocolName | None = None,
        images_per_class: int | Literal["real"] | None = None,
        statistics: Statistics | None = None,
        class_shares: Literal["even", "real"] = "even",
        standing_passes: int = 100,
    ) -> None:
        least = images_per_class if isinstance(images_per_class, int) else None
        self._at_least(2, num_images=num_images, real_images=real_images, images_per_class=least)
        self._at_least(1, standing_passes=standing_passes)
        self.settings = protocol_of(
            protocol,
            num_images=num_images,
            images_per_class=images_per_class,
            real_split=real_split,
            real_images=real_images,
            extractor=extractor,
            statistics=statistics,
        )
        super().__init__(every_validations, self.settings.extractor, extractor_kwargs, batch_size, keep, cache_dir)
        if class_shares not in ("even", "real"):
            raise InputError(f"GenerationMetrics: class_shares must be 'even' or 'real', got {class_shares!r}")
        if protocol is not None and class_shares != "even":
            raise InputError(f"class_shares={class_shares} contradicts protocol {protocol!r}; leave one of the two out")
        self.protocol, self.standing_passes, self.class_shares = protocol, standing_passes, class_shares
        self._references: dict[str, ReferenceStatistics | None] = {}  # None in all processes but the first

    def setup(self, trainer: pl.Trainer, task: ClassConditionalGAN, stage: str) -> None:
        super().setup(trainer, task, stage)
        for name in ("num_images", "images_per_class"):
            number = getattr(self.settings, name)
            if isinstance(number, int) and number < trainer.world_size:
                raise InputError(
                    f"GenerationMetrics: {name}={number} is less than the number of processes, {trainer.world_size}; "
                    "raise it"
                )

    def data_problems(self, data: Any, processes: int = 1, stage: Stage = "val") -> list[str]:
        found = super().data_problems(data, processes, stage)
        dataset = data.dataset(self._split_of(stage))
        label = getattr(dataset, "label", ())
        if self.class_shares == "real" and len(label) != len(dataset):
            found.append("GenerationMetrics: class_shares='real' needs data whose classes are known before reading")
        # Without labels, this is checked when the images have been read.
        if self.settings.images_per_class == "real" and len(label) == len(dataset) == self._most_images_of(dataset):
            counts = torch.bincount(torch.as_tensor(label), minlength=len(data.class_names)).tolist()
            found += self._class_too_small(counts, processes)
        return found

    def _most_images_of(self, dataset: Any) -> int:
        return min(len(dataset), self.settings.real_images or len(dataset))

    def _split_of(self, stage: Stage) -> str:
        return self.settings.real_split or stage

    def _most_images(self) -> int | None:
        return self.settings.real_images

    def _measure(self, trainer: pl.Trainer, task: ClassConditionalGAN, stage: Stage) -> None:
        assert self._network is not None
        self._network.to(task.device)
        split = self._split_of(stage)
        if split not in self._references:
            self._references[split] = self._real(trainer, task, split)
        reference = self._references[split]
        with self._statistics(task):
            fake = self._generated(trainer, task, split)
            check_images(fake.moments.outer.isfinite().all())
            classes = self._by_class(trainer, task, reference)
        result = share_outcome(trainer, in_first_process(trainer, self._compute, task, fake, reference, classes))
        logged = {name: result.figures[name] for name in LOGGED if name in result.figures}
        self._report(trainer, task, stage, split, result, logged)

    @contextmanager
    def _statistics(self, task: ClassConditionalGAN) -> Iterator[None]:
        """Gives the averaged generator the requested statistics inside the block."""
        if self.settings.statistics == "running":
            yield
            return
        generator: Any = task.generator
        batches = standing_batches(generator.latent_dim, task.num_classes, self.standing_passes, device=task.device)
        with task.evaluation(), estimated_statistics(generator, batches):
            yield

    def _compute(
        self,
        task: ClassConditionalGAN,
        fake: FeatureSet,
        reference: ReferenceStatistics | None,
        classes: ClassDistances | None,
    ) -> GenerationResult:
        assert self._network is not None
        assert reference is not None
        described, device = self._network.description(), float64_device(task)
        made: dict[str, Any] = {"statistics": self.settings.statistics, "protocol": self.protocol}
        if self.class_shares != "even":
            made["class_shares"] = self.class_shares
        if self.settings.statistics == "standing":
            made["passes"] = self.standing_passes
        return generation_result(fake, described, reference, task.num_classes, device, classes, self.keep, made)

    def _generated(self, trainer: pl.Trainer, task: ClassConditionalGAN, split: str) -> FeatureSet:
        """Features of the generated images: those of class 0 first; a seed counts inside the class."""
        ends = torch.tensor(self._counts(trainer, task, split)).cumsum(0)
        starts = ends.roll(1).index_fill(0, torch.tensor(0), 0)
        collector = FeatureCollector(self.settings.num_images, self.keep, with_scores=True)
        numbers = torch.arange(trainer.global_rank, self.settings.num_images, trainer.world_size)
        for index in with_progress(trainer, "generating", numbers.split(self.batch_size)):
            label = torch.searchsorted(ends, index, right=True)
            collector.add(self._seen(task, label, index - starts[label]), label, index)
        return collector.collected()

    def _counts(self, trainer: pl.Trainer, task: ClassConditionalGAN, split: str) -> list[int]:
        """Images to generate of each class, which sum to ``num_images``."""
        shares = torch.ones(task.num_classes)
        if self.class_shares == "real":
            dataset = trainer.datamodule.dataset(split)  # type: ignore[attr-defined]
            positions = self._chosen(trainer, dataset, split, self.settings.real_images)
            shares = torch.bincount(torch.as_tensor(dataset.label)[positions], minlength=task.num_classes)
        # Rounded up at each boundary between two classes, so that no image is lost.
        ends = [
            -(-int(part) * self.settings.num_images // int(shares.sum())) for part in [0, *shares.cumsum(0).tolist()]
        ]
        return [after - before for before, after in pairwise(ends)]

    def _by_class(
        self, trainer: pl.Trainer, task: ClassConditionalGAN, reference: ReferenceStatistics | None
    ) -> ClassDistances | None:
        """Distances within the classes, in the first process, one class's images at a time from all; None without."""
        if self.settings.images_per_class is None:
            return None
        of_class = self._images_of_each_class(trainer, task, reference)
        found, device = ClassDistances(), float64_device(task)
        for label, count in enumerate(with_progress(trainer, "classes", of_class)):
            collector = FeatureCollector(count, count)
            for index in torch.arange(trainer.global_rank, count, trainer.world_size).split(self.batch_size):
                labels = torch.full_like(index, label)
                collector.add(self._seen(task, labels, index), labels, index)
            rows = collector.collected().rows
            check_images(rows.isfinite().all())
            if reference is not None:
                real = reference.features.rows[reference.features.label == label]
                found.add(rows.to(device), real.to(device))
        return found

    def _images_of_each_class(
        self, trainer: pl.Trainer, task: ClassConditionalGAN, reference: ReferenceStatistics | None
    ) -> list[int]:
        """Images to generate of each class, the same in all processes."""
        number = self.settings.images_per_class
        if isinstance(number, int):
            return [number] * task.num_classes
        outcome: list[int] | InputError = []
        if reference is not None:
            outcome = torch.bincount(reference.features.label, minlength=task.num_classes).tolist()
            outcome = next(map(InputError, self._class_too_small(outcome, trainer.world_size)), outcome)
        counts: list[int] = share_outcome(trainer, outcome)
        return counts

    def _class_too_small(self, counts: list[int], processes: int) -> list[str]:
        fewest, least = min(counts), max(2, processes)
        if fewest >= least:
            return []
        which = f"class {counts.index(fewest)} has {fewest} real images, fewer than {least}"
        return [f"GenerationMetrics: images_per_class='real', but {which}; give a number"]

    def _seen(self, task: ClassConditionalGAN, label: Tensor, seed: Tensor) -> Features:
        """Features of the images of classes and seeds."""
        with task.evaluation():
            images = task.generate(label, seed)
        return self._see(images)

    def _real(self, trainer: pl.Trainer, task: ClassConditionalGAN, split: str) -> ReferenceStatistics | None:
        """The reference statistics of the split's images, in the first process."""
        assert self._network is not None
        dataset = trainer.datamodule.dataset(split)  # type: ignore[attr-defined]
        positions = self._chosen(trainer, dataset, split, self.settings.real_images)
        count = len(positions)
        content = ContentHash(count)
        for batch, index in self._shared_out(trainer, dataset, positions, f"hashing {split}"):
            content.add(batch.image, batch.label, index)
        kept = self.keep if self.settings.images_per_class is None else count
        described = describe(content, content.hexdigest(task.device), count, kept, self._network.description())
        batches = self._shared_out(trainer, dataset, positions, f"seeing {split}")
        return self._reference(trainer, task, described, batches)

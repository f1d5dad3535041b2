"""FID and its kin of what the generator makes, at validations and tests."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm

from lit_an.batch import ClassBatch, SampleRequest, collate
from lit_an.errors import InputError
from lit_an.metrics.extractors import FeatureExtractor, Features, create_extractor
from lit_an.metrics.feature_set import FeatureCollector, FeatureSet
from lit_an.metrics.generation import GenerationResult, generation_result
from lit_an.metrics.reference_statistics import (
    ContentHash,
    ReferenceStatistics,
    default_folder,
    describe,
    find,
    store,
)
from lit_an.tasks.class_conditional import ClassConditionalGAN

Numbered = tuple[ClassBatch, Tensor]

LOGGED = ("fid", "kid", "inception_score", "precision", "recall", "density", "coverage", "intra_fid")


class GenerationMetrics(Callback):
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
        for name, value, least in (
            ("num_images", num_images, 2),
            ("every_validations", every_validations, 1),
            ("batch_size", batch_size, 1),
            ("real_images", 2 if real_images is None else real_images, 2),
            ("keep", keep, 1),
        ):
            if value < least:
                raise InputError(f"GenerationMetrics: {name} must be at least {least}, got {value}")
        self.num_images, self.every_validations, self.batch_size = num_images, every_validations, batch_size
        self.extractor, self.extractor_kwargs = extractor, extractor_kwargs or {}
        self.real_split, self.real_images, self.keep = real_split, real_images, keep
        self.folder = default_folder() if cache_dir is None else Path(cache_dir).expanduser()
        self._network: FeatureExtractor | None = None
        self._references: dict[str, ReferenceStatistics | None] = {}  # None in all processes but the first
        self._validations = 0

    # When

    def setup(self, trainer: pl.Trainer, task: ClassConditionalGAN, stage: str) -> None:
        """Makes the extractor now: what is wrong with it shows before hours of training."""
        if stage == "predict":
            return
        if not hasattr(getattr(trainer, "datamodule", None), "dataset"):
            raise InputError("GenerationMetrics needs a data module with a method dataset(split), such as ImageFolder")
        if self.num_images < trainer.world_size:
            raise InputError(
                f"GenerationMetrics: num_images={self.num_images} is less than the number of processes, "
                f"{trainer.world_size}; raise it"
            )
        if self._network is None:
            self._network = create_extractor(self.extractor, **self.extractor_kwargs)

    def on_validation_epoch_end(self, trainer: pl.Trainer, task: ClassConditionalGAN) -> None:
        if trainer.sanity_checking:
            return
        trains = trainer.state.fn == "fit"
        self._validations += trains
        if not trains or self._validations % self.every_validations == 0:
            self._measure(trainer, task, "val")

    def on_test_epoch_end(self, trainer: pl.Trainer, task: ClassConditionalGAN) -> None:
        self._measure(trainer, task, "test")

    def state_dict(self) -> dict[str, Any]:
        return {"validations": self._validations}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._validations = state_dict["validations"]

    # What

    def _measure(self, trainer: pl.Trainer, task: ClassConditionalGAN, stage: Literal["val", "test"]) -> None:
        assert self._network is not None
        self._network.to(task.device)
        split = self.real_split or stage
        if split not in self._references:
            self._references[split] = self._reference(trainer, task, split)
        fake = self._generated(trainer, task)
        outcome: GenerationResult | InputError | None = None
        if trainer.is_global_zero:
            outcome = self._compute(task, fake, self._references[split])
        result = _agreed(trainer, outcome)
        named = {f"{stage}/{name}": result.figures[name] for name in LOGGED if name in result.figures}
        for name, value in named.items():
            task.log(name, value, sync_dist=trainer.world_size > 1)
        if trainer.is_global_zero:
            path = Path(trainer.default_root_dir, f"metrics_{stage}_{task.iteration:07d}.json")
            result.write(path, stage=stage, split=split, iteration=task.iteration)
            tqdm.write(f"\n{path}: {result.table()}")

    def _compute(
        self, task: ClassConditionalGAN, fake: FeatureSet, reference: ReferenceStatistics | None
    ) -> GenerationResult | InputError:
        assert self._network is not None
        assert reference is not None
        device = task.device if task.device.type == "cuda" else "cpu"
        try:
            return generation_result(fake, self._network.description(), reference, task.num_classes, device)
        except InputError as error:  # raised in every process, so that none waits for the others
            return error

    def _see(self, images: Tensor) -> Features:
        assert self._network is not None
        found = self._network(images)
        # Apple's devices know no float64.
        return Features(*(x.cpu() if x is not None and x.device.type == "mps" else x for x in found))

    def _generated(self, trainer: pl.Trainer, task: ClassConditionalGAN) -> FeatureSet:
        """Features of the generated images: image i of N is of class ⌊i K / N⌋, its seed counts inside the class."""
        collector = FeatureCollector(self.num_images, self.keep, with_scores=True)
        numbers = torch.arange(trainer.global_rank, self.num_images, trainer.world_size)
        for index in _shown(trainer, "generating", numbers.split(self.batch_size)):
            label = index * task.num_classes // self.num_images
            first = -(-label * self.num_images // task.num_classes)
            request = SampleRequest(label.to(task.device), (index - first).to(task.device))
            with task.evaluation():
                images = task.predict_step(request, 0)
            collector.add(self._see(images), label, index)
        return collector.collected()

    # Real images

    def _reference(self, trainer: pl.Trainer, task: ClassConditionalGAN, split: str) -> ReferenceStatistics | None:
        """The reference statistics, in the first process; kept ones, or computed by all processes."""
        assert self._network is not None
        dataset = trainer.datamodule.dataset(split)  # type: ignore[attr-defined]
        count = min(len(dataset), self.real_images or len(dataset))
        if count < max(2, trainer.world_size):
            raise InputError(f"GenerationMetrics: the split {split!r} has {count} images, too few to measure with")
        content = ContentHash(count)
        for batch, index in self._real(trainer, dataset, count, f"hashing {split}"):
            content.add(batch.image, batch.label, index)
        described = describe(content, content.hexdigest(task.device), count, self.keep, self._network.description())
        found: ReferenceStatistics | InputError | None = None
        if trainer.is_global_zero:
            try:
                found = find(self.folder, described)
            except InputError as error:
                found = error
        # Only whether there is one travels, not the statistics.
        if _agreed(trainer, found if isinstance(found, InputError) else found is not None):
            assert not isinstance(found, InputError)
            return found
        return self._computed(trainer, task, self._real(trainer, dataset, count, f"seeing {split}"), described)

    def _computed(
        self, trainer: pl.Trainer, task: ClassConditionalGAN, batches: Iterator[Numbered], described: dict[str, Any]
    ) -> ReferenceStatistics | None:
        collector = FeatureCollector(described["count"], self.keep)
        for batch, index in batches:
            collector.add(self._see(batch.image.to(task.device)), batch.label, index)
        reference = ReferenceStatistics(collector.collected(), described)
        outcome: Path | InputError | None = None
        if trainer.is_global_zero:
            try:
                outcome = store(self.folder, reference)
            except InputError as error:
                outcome = error
        _agreed(trainer, outcome)
        return reference if trainer.is_global_zero else None

    def _real(self, trainer: pl.Trainer, dataset: Any, count: int, what: str) -> Iterator[Numbered]:
        """This process's share of ``count`` images spread over a data set, and their numbers."""
        numbers = torch.arange(trainer.global_rank, count, trainer.world_size)
        loader = DataLoader(
            dataset,
            batch_size=self.batch_size,
            sampler=(numbers * len(dataset) // count).tolist(),
            num_workers=getattr(trainer.datamodule, "num_workers", 0),  # type: ignore[attr-defined]
            collate_fn=collate,
        )
        pairs = zip(loader, numbers.split(self.batch_size), strict=True)
        yield from _shown(trainer, what, pairs, len(loader))


def _agreed(trainer: pl.Trainer, outcome: Any) -> Any:
    """What the first process has, in all of them; raised in all of them if it is an error."""
    outcome = trainer.strategy.broadcast(outcome)
    if isinstance(outcome, InputError):
        raise outcome
    return outcome


def _shown(trainer: pl.Trainer, what: str, batches: Any, total: int | None = None) -> Any:
    """A progress bar in the first process, if the run shows any."""
    hidden = not trainer.is_global_zero or trainer.progress_bar_callback is None
    return tqdm(batches, f"metrics: {what}", total, leave=False, disable=hidden)

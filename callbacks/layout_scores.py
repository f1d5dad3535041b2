"""Scores of learned regions beside baselines, at validations and tests."""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.rank_zero import rank_zero_info
from torch import Tensor

from callbacks.measuring.base import (
    Measuring,
    Numbered,
    Stage,
    check_images,
    float64_device,
    with_progress,
)
from callbacks.measuring.layer import MeasuredLayer
from callbacks.measuring.layout_views import GeneratedBatch, LayoutView, views_of
from callbacks.measuring.outcomes import in_first_process, share_outcome
from lit_an.batch import collate
from lit_an.errors import InputError
from lit_an.metrics.layout.accumulated import MOST_PARTS
from lit_an.metrics.layout.methods import LEARNED, Comparison, Seen, Truth
from lit_an.metrics.layout.result import layout_scores_result
from lit_an.metrics.layout.segmenter import PixelSegmenter, SegmenterQuality, fit_segmenter, segmenter_quality
from lit_an.tasks.adversarial import AdversarialTask

LOGGED = ("miou", "ari", "nmi", "position_share")
_SAMPLE = 32  # images that k-means is fitted to


class FittedSegmenter(NamedTuple):
    """The segmenter of a run, its quality on held-out images, and how many images it was fitted to."""

    segmenter: PixelSegmenter
    quality: SegmenterQuality
    images: int


class LayoutScores(Measuring):
    """Scores the semantic layouts of a task's networks against ground truth, beside baselines of as many regions.

    At every ``every_validations``-th validation, and at every ``validate`` and ``test``, it looks at the layouts of a
    class-conditional generator (on images that it generates) and of its discriminator (on real images), or of an
    inpainting generator (on real images with holes, outside of the holes), with averaged weights where there are any.
    It logs ``val/layout/<network>.<layer>/miou``, ``…/ari``, ``…/nmi`` and ``…/position_share`` (``test/…``), and
    writes all figures, of the layout and of each baseline, to ``<run folder>/layout_scores_<stage>_<iteration>.json``.

    Ground truth are the region maps of the data, as ``lit_an.data.sources.Earth`` has them. Generated images have none:
    a classifier of pixels is fitted to real images of the training split once, and its accuracy on held-out ones stands
    beside the figures. Without region maps the figures that need none are measured, and a line says so.

    The cost: the networks run on ``images`` and on ``min(images, 32)`` of them once more, where layouts are of real
    images also on ``images`` mirrored ones; the classifier takes a second or two, once.

    Args:
        every_validations: validations between measurements, ≥ 1.
        images: images to measure with, ≥ 2; real ones evenly spread over the split, generated ones of all classes.
        regions: ``all`` compares with all regions of the data; ``first_and_rest`` with region 0 against all others, for
            the Earth ocean and land.
        tolerance: positions that a boundary may be off, ≥ 0.
        segmenter_images: real training images that the classifier of pixels is fitted to, and most held-out ones that
            it is judged on, ≥ 1.
        batch_size: images at a time on one device; only ``seed_stability`` depends on it.

    Raises:
        InputError: a number out of range; when a run starts, a task without images, or data that cannot be counted and
            indexed.
    """

    prefix = "layout_scores"

    def __init__(
        self,
        every_validations: int = 1,
        images: int = 128,
        regions: Literal["all", "first_and_rest"] = "all",
        tolerance: int = 1,
        segmenter_images: int = 256,
        batch_size: int = 32,
    ) -> None:
        self._at_least(2, images=images)
        self._at_least(0, tolerance=tolerance)
        self._at_least(1, segmenter_images=segmenter_images)
        super().__init__(every_validations, None, None, batch_size, keep=1, cache_dir=None)
        if regions not in ("all", "first_and_rest"):
            raise InputError(f"LayoutScores: regions must be 'all' or 'first_and_rest', got {regions!r}")
        self.images, self.regions, self.tolerance = images, regions, tolerance
        self.segmenter_images = segmenter_images
        self._segmenters: dict[str, FittedSegmenter] = {}  # by the split that is held out
        self._said: set[str] = set()

    def setup(self, trainer: pl.Trainer, task: AdversarialTask, stage: str) -> None:
        super().setup(trainer, task, stage)
        if self.images < trainer.world_size:
            raise InputError(
                f"LayoutScores: images={self.images} is less than the number of processes, {trainer.world_size}; "
                "raise it"
            )
        if not views_of(task):
            self._say("LayoutScores: no norm of these networks has a semantic layout, so no layouts are scored")

    def _say(self, sentence: str) -> None:
        if sentence not in self._said:
            self._said.add(sentence)
            rank_zero_info(sentence)

    def _most_images(self) -> int | None:
        return self.images

    # What

    def _measure(self, trainer: pl.Trainer, task: AdversarialTask, stage: Stage) -> None:
        views = views_of(task)
        if not views:
            return
        dataset = trainer.datamodule.dataset(stage)  # type: ignore[attr-defined]
        positions = self._chosen(trainer, dataset, stage, self.images)
        first = dataset[int(positions[0])]
        knows = getattr(first, "regions", None) is not None
        if not knows:
            self._say(
                "LayoutScores: the data have no region maps, so layouts are measured without ground truth: regions in "
                "use, stability, and how much of them position explains"
            )
        layers: dict[str, dict[str, Any]] = {}
        truth: dict[str, Any] = {"regions": self.regions if knows else "no", "tolerance": self.tolerance, "source": {}}
        for view in views:
            segmenter = None
            if knows and view.images == "generated":
                fitted = self._segmenter(trainer, stage)
                segmenter = fitted.segmenter
                truth["segmenter"] = {**fitted.quality._asdict(), "images": fitted.images}
            for name, found in self._of_view(trainer, view, dataset, positions, segmenter, knows).items():
                layers[f"{view.side}.{name}"] = found
                source = "none" if not knows else "region maps" if segmenter is None else "segmenter"
                truth["source"][f"{view.side}.{name}"] = source
        images = {"most": self.images, "split": stage, "image_size": list(first.image.shape[1:])}
        result = layout_scores_result(layers, _doubts(layers, truth), images, truth)
        logged = {
            f"layout/{name}/{figure}": layer["methods"][LEARNED][figure]
            for name, layer in layers.items()
            for figure in LOGGED
            if figure in layer["methods"][LEARNED]
        }
        self._report(trainer, task, stage, stage, result, logged)

    def _of_view(
        self,
        trainer: pl.Trainer,
        view: LayoutView,
        dataset: Any,
        positions: Tensor,
        segmenter: PixelSegmenter | None,
        knows: bool,
    ) -> dict[str, dict[str, Any]]:
        """Every layer of a network: its layout and its baselines, scored over all processes."""
        device = float64_device(view.task)
        comparison = Comparison(2 if self.regions == "first_and_rest" else MOST_PARTS, self.tolerance)
        measured = {
            name: MeasuredLayer(view, name, seen, comparison if knows else None, device)
            for name, seen in self._sample(view, dataset, positions, device).items()
        }
        for batch, numbers in self._batches(trainer, view, dataset, positions):
            image, recorded = view.see(batch)
            mirrored = view.see(batch, mirrored=True) if view.images == "real" else None
            truth = None
            if knows:
                truth = view.truth(batch) if segmenter is None else Truth(segmenter.segment(image.to(device)))
                truth = truth._replace(parts=self._merged(truth.parts))
            for name, layer in measured.items():
                layer.add(_seen(image, recorded[name], device), numbers, truth)
                if mirrored is not None:
                    layer.add_mirrored(_seen(mirrored[0], mirrored[1][name], device), numbers)
        about = {"images": view.images, "count": self._count(view, positions)}
        return {name: about | layer.found() for name, layer in measured.items()}

    # Images

    def _count(self, view: LayoutView, positions: Tensor) -> int:
        """How many images the layouts of a network are of; a split may have fewer than can be generated."""
        return len(positions) if view.images == "real" else self.images

    def _sample(self, view: LayoutView, dataset: Any, positions: Tensor, device: torch.device) -> dict[str, Seen]:
        """What each layer does with a few images, the same in all processes."""
        total = self._count(view, positions)
        count = min(_SAMPLE, total)
        few = torch.arange(count) * total // count
        batch = self._generated(view, few) if view.images == "generated" else _read(dataset, positions[few])
        image, recorded = view.see(batch)
        check_images(image.isfinite().all() and all(layout.isfinite().all() for _, layout in recorded.values()))
        return {name: _seen(image, parts, device) for name, parts in recorded.items()}

    def _batches(self, trainer: pl.Trainer, view: LayoutView, dataset: Any, positions: Tensor) -> Iterator[Numbered]:
        """This process's share of a view's images, in batches with their numbers."""
        if view.images == "real":
            yield from self._shared_out(trainer, dataset, positions, "layouts")
            return
        numbers = torch.arange(trainer.global_rank, self._count(view, positions), trainer.world_size)
        for part in with_progress(trainer, "layouts", numbers.split(self.batch_size)):
            yield self._generated(view, part), part

    def _generated(self, view: LayoutView, numbers: Tensor) -> GeneratedBatch:
        """Of all classes in turn; a seed counts inside the class."""
        classes = view.task.num_classes
        return GeneratedBatch(numbers % classes, numbers // classes)

    def _segmenter(self, trainer: pl.Trainer, stage: Stage) -> FittedSegmenter:
        """Fitted by the first process, once a run."""
        if stage not in self._segmenters:
            self._segmenters[stage] = share_outcome(trainer, in_first_process(trainer, self._fit, trainer, stage))
        return self._segmenters[stage]

    def _fit(self, trainer: pl.Trainer, stage: Stage) -> FittedSegmenter:
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        train, held_out = (
            _read(dataset, torch.arange(count) * len(dataset) // count)
            for dataset in (data.dataset("train"), data.dataset(stage))
            for count in [min(len(dataset), self.segmenter_images)]
        )
        segmenter = fit_segmenter(train.image, self._merged(train.regions))
        quality = segmenter_quality(segmenter, held_out.image, self._merged(held_out.regions))
        return FittedSegmenter(segmenter, quality, len(train.image))

    def _merged(self, regions: Tensor) -> Tensor:
        """The regions to compare with."""
        return (regions > 0).long() if self.regions == "first_and_rest" else regions


def _seen(image: Tensor, parts: tuple[Tensor, Tensor], device: torch.device) -> Seen:
    return Seen(image.to(device), *(part.to(device) for part in parts))


def _read(dataset: Any, positions: Tensor) -> Any:
    return collate([dataset[int(position)] for position in positions])


def _doubts(layers: dict[str, dict[str, Any]], truth: dict[str, Any]) -> list[str]:
    """Sentences about figures that are absent or say little."""
    found = []
    quality = truth.get("segmenter")
    if quality is not None and quality["accuracy"] < (1 + quality["commonest"]) / 2:
        found.append(
            f"the classifier that stands for the ground truth of generated images has accuracy "
            f"{quality['accuracy']:.3f} on held-out images, not halfway from the commonest region "
            f"({quality['commonest']:.3f}) to 1; compare with baselines only"
        )
    for name, layer in layers.items():
        learned = layer["methods"][LEARNED]
        if truth["source"][name] != "none" and not learned["several_regions"]:
            absent = "image_miou and the like are" if "miou" in learned else "figures against it are all"
            found.append(f"{name}: no image has two regions in the ground truth, so {absent} absent")
    return found

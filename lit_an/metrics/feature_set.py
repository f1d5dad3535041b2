"""Features of a known number of images, independent of batches and processes.

All results are sums, including the kept rows, which each process adds to zeros at the place of their image. So they do
not depend on which process processes an image, or when, and no image counts twice.
"""

from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from lit_an.metrics.feature_networks.extractors import Features
from lit_an.metrics.frechet import Moments, moments_of
from lit_an.metrics.inception import ScoreSums, score_sums, splits_of

Sums = TypeVar("Sums", Moments, ScoreSums)


class FeatureSet(NamedTuple):
    """Features of a set of images.

    Attributes:
        moments: of all images.
        rows: (R, D), float32, features of the images that are kept, evenly spread over all.
        label: (R,), int64, their classes.
        scores: sums for the Inception score, or None.
    """

    moments: Moments
    rows: Tensor
    label: Tensor
    scores: ScoreSums | None = None

    @property
    def num_images(self) -> int:
        """Images in all."""
        return int(self.moments.num_images)


class FeatureCollector:
    """Collects the features of ``count`` images, numbered 0 to count - 1, each of them once.

    Args:
        count: images over all processes, ≥ 1.
        keep: largest number of rows to keep, for metrics that compare single images, ≥ 1.
        with_scores: also collect sums for the Inception score, if the extractor returns logits.
    """

    def __init__(self, count: int, keep: int, with_scores: bool = False) -> None:
        assert count >= 1
        assert keep >= 1
        self.count, self.kept = count, min(count, keep)
        self.splits = min(10, count)
        self._split = splits_of(count, self.splits) if with_scores else None
        self._moments: Moments | None = None
        self._scores: ScoreSums | None = None
        self._rows = self._label = torch.empty(0)
        self._seen = torch.zeros(count, dtype=torch.int32)

    def add(self, found: Features, label: Tensor, index: Tensor) -> None:
        """Adds a batch.

        Args:
            found: the extractor's output.
            label: (B,), int64.
            index: (B,), int64, the number of each image.
        """
        device, index = found.features.device, index.cpu()
        moments = moments_of(found.features)
        if self._moments is None:
            self._rows = torch.zeros(self.kept, found.features.shape[1], device=device)
            self._label = torch.zeros(self.kept, dtype=torch.int64, device=device)
            self._seen = self._seen.to(device)
        self._moments = moments if self._moments is None else add_sums(self._moments, moments)
        if found.logits is not None and self._split is not None:
            scores = score_sums(found.logits, self._split[index].to(device), self.splits)
            self._scores = scores if self._scores is None else add_sums(self._scores, scores)
        self._seen[index.to(device)] += 1
        kept, place = self._places(index)
        self._rows[place.to(device)] = found.features[kept.to(device)]
        self._label[place.to(device)] = label.to(device)[kept.to(device)]

    def _places(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Which images of a batch are kept, (B,) bool, and in which rows: row j holds image ⌊j · count / kept⌋."""
        row = (index * self.kept + self.count - 1) // self.count
        kept = (row < self.kept) & (row * self.count // self.kept == index)
        return kept, row[kept]

    def collected(self) -> FeatureSet:
        """The set, over all processes; each of them must call this, having added at least one image."""
        assert self._moments is not None, "a process added no images"
        sums = [*self._moments, *(self._scores or ()), self._rows, self._label, self._seen]
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            for value in sums:
                torch.distributed.all_reduce(value)
        assert (self._seen == 1).all(), "an image is missing or was added twice"
        scores = None if self._scores is None else ScoreSums(*(value.cpu() for value in self._scores))
        moments = Moments(*(value.cpu() for value in self._moments))
        return FeatureSet(moments, self._rows.cpu(), self._label.cpu(), scores)


def add_sums(first: Sums, second: Sums) -> Sums:
    """Sums of the union of two disjoint sets of images."""
    return type(first)(*(a + b for a, b in zip(first, second, strict=True)))


def move_features(features: FeatureSet, device: torch.device | str) -> FeatureSet:
    """Moves the set to another device, which must support float64."""
    moments = Moments(*(value.to(device) for value in features.moments))
    return features._replace(moments=moments, rows=features.rows.to(device), label=features.label.to(device))


def keep_rows(features: FeatureSet, keep: int) -> FeatureSet:
    """Keeps at most ``keep`` rows of the set, evenly spread."""
    count = len(features.rows)
    chosen = torch.arange(min(keep, count)) * count // min(keep, count)
    return features if keep >= count else features._replace(rows=features.rows[chosen], label=features.label[chosen])

"""The Fréchet distance within each class, with the generated features of one class in memory at a time."""

import dataclasses

import torch
from torch import Tensor

from lit_an.metrics.feature_set import FeatureSet
from lit_an.metrics.frechet import frechet_distance_of_features


@dataclasses.dataclass
class ClassDistances:
    """Distances and counts, one entry per class in the order of their labels.

    Attributes:
        by_class: Fréchet distance within the class; None if either side has fewer than 2 images of it.
        generated: number of generated images.
        real: number of real images.
    """

    by_class: list[float | None] = dataclasses.field(default_factory=list)
    generated: list[int] = dataclasses.field(default_factory=list)
    real: list[int] = dataclasses.field(default_factory=list)

    def add(self, fake: Tensor, real: Tensor) -> None:
        """Adds the next class: (M, D) features of its generated images, (N, D) of its real ones."""
        enough = min(len(fake), len(real)) >= 2
        self.by_class.append(frechet_distance_of_features(fake, real) if enough else None)
        self.generated.append(len(fake))
        self.real.append(len(real))

    @property
    def mean(self) -> float | None:
        """The mean over the classes that have a distance; None if there is none."""
        known = [value for value in self.by_class if value is not None]
        return sum(known) / len(known) if known else None


def distances_of_rows(
    fake: FeatureSet, real: FeatureSet, num_classes: int, device: torch.device | str
) -> ClassDistances:
    """Distances between the kept rows of both sides."""
    found = ClassDistances()
    for label in range(num_classes):
        found.add(*(side.rows[side.label == label].to(device) for side in (fake, real)))
    return found

"""A layer's layout and its baselines, measured on the same images by the same scores."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from lit_an.metrics.layout.accumulated import DatasetRegionScores, ImageRegionScores, LayoutStability, RegionUse
from lit_an.metrics.layout.baselines import cluster_layout, fit_clusters, grid_layout, one_hot_layout, random_layout

LEARNED = "learned"
UNTRAINED = "untrained"
MakeLayout = Callable[[Tensor], Tensor]


class Seen(NamedTuple):
    """What one layer did with images.

    Attributes:
        image: (B, 3, H, W), in [-1, 1], as the network sees or makes them.
        features: (B, C, h, w), the layer's input.
        layout: (B, N, h, w), its layout.
    """

    image: Tensor
    features: Tensor
    layout: Tensor


class Truth(NamedTuple):
    """The ground truth of a batch of images.

    Attributes:
        parts: (B, H, W), int64, the true region of each pixel.
        counted: (B, H, W), bool, which pixels count; None counts all.
    """

    parts: Tensor
    counted: Tensor | None = None


class Comparison(NamedTuple):
    """How layouts are compared with a ground truth.

    Attributes:
        num_parts: most regions that the ground truth can have.
        tolerance: of boundaries, in positions of the layout.
    """

    num_parts: int
    tolerance: int


class Baselines:
    """Layouts to compare a layer's layout with, of as many regions.

    Args:
        sample: what the layer did with some images; k-means is fitted to some of their positions.
        untrained: layouts of features by the same layer with initial filters, one for each draw of these.
        positions: of each image of the sample that k-means sees, ≥ 1.
    """

    def __init__(self, sample: Seen, untrained: Sequence[MakeLayout], positions: int = 256) -> None:
        self.num_regions, self.size = sample.layout.shape[1], (sample.layout.shape[2], sample.layout.shape[3])
        self.untrained = untrained
        generator = torch.Generator().manual_seed(0)
        place = torch.rand(len(sample.image), self.size[0] * self.size[1], generator=generator).argsort(1)[
            :, :positions
        ]
        self._of_features, self._of_colors = (
            fit_clusters(_points(maps, place.to(maps.device)), self.num_regions)
            for maps in (sample.features, self._colors(sample.image))
        )

    def layouts(self, seen: Seen, numbers: Tensor) -> dict[str, Tensor]:
        """(B, N, h, w) of each method, the learned one first, then the draws of the untrained one.

        Args:
            seen: what the layer did with images.
            numbers: (B,), int64, their numbers, from which chance comes.
        """
        count, device = len(seen.image), seen.layout.device
        first = torch.zeros(count, *self.size, dtype=torch.int64, device=device)
        return {
            LEARNED: seen.layout,
            **{f"{UNTRAINED} {draw}": make(seen.features) for draw, make in enumerate(self.untrained)},
            "k-means of features": cluster_layout(seen.features, self._of_features),
            "k-means of colors": cluster_layout(self._colors(seen.image), self._of_colors),
            "position grid": grid_layout(self.num_regions, self.size).to(device).expand(count, -1, -1, -1),
            "random": random_layout(numbers, self.num_regions, self.size).to(device),
            "one region": one_hot_layout(first, self.num_regions),
        }

    def _colors(self, image: Tensor) -> Tensor:
        """(B, 3, h, w): the mean color at each position."""
        return F.interpolate(image, size=self.size, mode="area")


class MethodScores:
    """All scores of one way of making layouts.

    Args:
        num_regions: N.
        size: (h, w) of the layouts.
        comparison: with a ground truth, or None without one.
        device: which has float64.
    """

    def __init__(
        self, num_regions: int, size: tuple[int, int], comparison: Comparison | None, device: torch.device
    ) -> None:
        self.use = RegionUse(num_regions, size).to(device)
        self.against_truth = (
            []
            if comparison is None
            else [form(num_regions, *comparison).to(device) for form in (DatasetRegionScores, ImageRegionScores)]
        )
        self.num_regions, self.device = num_regions, device
        self.stability: dict[str, LayoutStability] = {}

    def add(self, layout: Tensor, truth: Truth | None) -> None:
        """Adds layouts (B, N, h, w) of images, and their ground truth."""
        layout = layout.to(self.device)
        self.use.update(layout)
        for scores in self.against_truth:
            assert truth is not None
            counted = None if truth.counted is None else truth.counted.to(self.device)
            scores.update(layout, truth.parts.to(self.device), counted)

    def add_again(self, kind: str, layout: Tensor, again: Tensor) -> None:
        """Adds layouts of images and other ones of the same images, which should be equal.

        Args:
            kind: what was changed: ``mirror`` or ``seed``.
            layout, again: (B, N, h, w), in the same place.
        """
        stability = self.stability.setdefault(kind, LayoutStability(self.num_regions).to(self.device))
        stability.update(layout.to(self.device), again.to(self.device))

    def figures(self) -> dict[str, float]:
        """Every figure that is a number, over all processes, which call this together."""
        found: dict[str, Tensor] = {}
        for scores in self.against_truth:
            found |= scores.compute()
        found |= self.use.compute()
        found |= {f"{kind}_stability": stability.compute() for kind, stability in self.stability.items()}
        return {name: float(value) for name, value in found.items() if not value.isnan()}


class MethodFigures(NamedTuple):
    """Figures of all methods of a layer.

    Attributes:
        methods: of each; of the untrained layer the means over its draws.
        deviation: standard deviation over these draws, of each figure.
    """

    methods: dict[str, dict[str, float]]
    deviation: dict[str, float]


def method_figures(figures: Mapping[str, Mapping[str, float]]) -> MethodFigures:
    """Takes the draws of the untrained layer together, in the place of the first.

    Args:
        figures: of the methods of ``Baselines.layouts``.

    Example:
        >>> found = method_figures({"learned": {"ari": 0.5}, "untrained 0": {"ari": 0.1}, "untrained 1": {"ari": 0.3}})
        >>> found.methods["untrained"]["ari"], round(found.deviation["ari"], 3)
        (0.2, 0.141)
    """
    draws = [found for method, found in figures.items() if method.startswith(UNTRAINED)]
    shared = {name: torch.tensor([draw[name] for draw in draws], dtype=torch.float64) for name in draws[0]}
    methods: dict[str, dict[str, float]] = {}
    for method, found in figures.items():
        if not method.startswith(UNTRAINED):
            methods[method] = dict(found)
        elif UNTRAINED not in methods:
            methods[UNTRAINED] = {name: float(values.mean()) for name, values in shared.items()}
    return MethodFigures(methods, {name: float(values.std()) for name, values in shared.items()})


def _points(maps: Tensor, place: Tensor) -> Tensor:
    """(B · P, C), the values of maps (B, C, h, w) at places (B, P) of each."""
    return maps.flatten(2).gather(2, place[:, None].expand(-1, maps.shape[1], -1)).movedim(1, 2).flatten(0, 1)

"""The layout of one layer and its baselines, while they are measured."""

from typing import Any

import torch
from torch import Tensor

from callbacks.measuring.layout_views import LayoutView, layouts_of, resampled, untrained
from lit_an.metrics.layout.methods import LEARNED, Baselines, Comparison, MethodScores, Seen, Truth, method_figures
from lit_an.seeds import mix_seed

_DRAWS = 5  # of the filters of the untrained layer


class MeasuredLayer:
    """The layout of one layer and its baselines, while they are measured.

    Args:
        view: the network, and what it looks at.
        name: of the layer.
        sample: what the layer does with a few images, for k-means.
        comparison: how layouts are compared with ground truth; None without ground truth.
        device: one that supports float64.
    """

    def __init__(
        self, view: LayoutView, name: str, sample: Seen, comparison: Comparison | None, device: torch.device
    ) -> None:
        with view.task.evaluation():  # of the averaged weights
            layout = layouts_of(view.network)[name]
            self.baselines = Baselines(sample, [untrained(layout, device, draw) for draw in range(_DRAWS)])
            self.resampled = resampled(layout, device)
        self.channels = sample.features.shape[1]
        self.comparison, self.device = comparison, device
        self.scores: dict[str, MethodScores] = {}
        self._layouts: dict[str, Tensor] = {}

    def add(self, seen: Seen, numbers: Tensor, truth: Truth | None) -> None:
        with torch.no_grad():
            self._layouts = self.baselines.layouts(seen, numbers)
        for method, layout in self._layouts.items():
            if method not in self.scores:
                parts = (self.baselines.num_regions, self.baselines.size, self.comparison, self.device)
                self.scores[method] = MethodScores(*parts)
            self.scores[method].add(layout, truth)
        if self.resampled is not None:
            seeds = (mix_seed(int(numbers[0]), again) for again in range(2))
            self.scores[LEARNED].add_again("seed", *(self.resampled(seen.features, seed) for seed in seeds))

    def add_mirrored(self, seen: Seen, numbers: Tensor) -> None:
        """Adds what became of the images added last when they were mirrored."""
        with torch.no_grad():
            mirrored = self.baselines.layouts(seen, numbers)
        for method, layout in mirrored.items():
            self.scores[method].add_again("mirror", self._layouts[method], layout.flip(3))

    def found(self) -> dict[str, Any]:
        """What was measured, in all processes at once."""
        methods, deviation = method_figures({method: scores.figures() for method, scores in self.scores.items()})
        return {
            "num_regions": self.baselines.num_regions,
            "size": list(self.baselines.size),
            "channels": self.channels,
            "methods": methods,
            "untrained_deviation": deviation,
        }

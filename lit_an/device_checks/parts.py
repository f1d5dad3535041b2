"""The parts of the report, in their order."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lit_an.device_checks import compared, handovers, layers, recipes, trainings
from lit_an.device_checks.rows import Row, Setting


@dataclass(frozen=True)
class Part:
    """A part of the report.

    Args:
        rows: computes it, row by row.
        seconds: that it may take on a GPU; what it has given until then is kept.
    """

    rows: Callable[[Setting], Iterator[Row]]
    seconds: int

    def about(self) -> str:
        """The first line of its docstring."""
        return (self.rows.__doc__ or "").strip().partition("\n")[0]


# The cheapest and most telling first; together at most ten minutes, by these limits less than twenty.
PARTS: dict[str, Part] = {
    "norms": Part(compared.norms, 120),
    "networks": Part(compared.networks, 120),
    "losses": Part(compared.losses, 60),
    "augmentations": Part(compared.augmentations, 60),
    "metrics": Part(compared.metrics, 60),
    "layers": Part(layers.layers, 120),
    "trainings": Part(trainings.trainings, 300),
    "handovers": Part(handovers.handovers, 240),
    "recipes": Part(recipes.recipes, 300),
    "loading": Part(recipes.loading, 60),
    "processes": Part(recipes.processes, 180),
}

"""The scores of all layouts of a task beside their baselines, with what they depend on."""

import dataclasses
from collections.abc import Iterable
from typing import Any

from lit_an.metrics.layout.methods import LEARNED, UNTRAINED
from lit_an.metrics.results import Result

# The order of a table.
FIGURES = (
    *("miou", "purity", "chance", "ari", "nmi", "boundary_f"),
    *("image_miou", "image_purity", "image_chance", "image_ari", "image_nmi", "image_boundary_f"),
    *("regions_in_use", "mirror_stability", "seed_stability", "position_share", "border_share", "grid_share"),
)

# Titles of columns.
_SHORT = {"k-means of features": "k-means", "k-means of colors": "colors", "position grid": "grid", "one region": "one"}


@dataclasses.dataclass(frozen=True)
class LayoutScoresResult(Result):
    """Scores of the layouts of a task.

    Every figure is finite; one that cannot be computed is absent, with a reason in ``warnings``.

    Attributes:
        figures: of the learned layouts, ``<layer>/<figure>`` to value: over the data set ``miou``, ``purity``,
            ``chance``, ``ari``, ``nmi`` and ``boundary_f``, the same with ``image_`` as means over images that match
            anew, and without ground truth ``regions_in_use``, ``mirror_stability``, ``seed_stability``,
            ``position_share``, ``border_share`` and ``grid_share``; see ``lit_an.metrics.layout.accumulated``.
        layers: for each layer ``images`` (``real`` or ``generated``) and their ``count``, ``num_regions``, ``size``
            (h, w), ``channels`` and ``methods``: the figures of the learned layout and of each baseline, and
            ``several_regions``, how many images the ``image_`` figures are means of. The untrained layer's are means
            over draws of its filters, whose standard deviations are ``untrained_deviation``.
        warnings: sentences about figures that are absent, or that say little.
        images: the ``most`` that were to be looked at, the ``split`` of real ones, and ``image_size``.
        truth: ``source`` (``region maps``, ``segmenter`` or ``none``) of each layer's ground truth, ``regions``,
            ``tolerance`` and, where there is one, the ``segmenter``'s ``accuracy`` on held-out images, the
            ``commonest`` region's share there, and ``images`` that it was fitted to.
    """

    title = "scores of layouts"
    basis = ("images", "truth")

    figures: dict[str, float]
    layers: dict[str, dict[str, Any]]
    warnings: list[str]
    images: dict[str, Any]
    truth: dict[str, Any]

    def table(self) -> str:
        """A short readable summary: for each layer its figures, the learned layout beside the baselines."""
        return "\n".join(
            [
                f"scores of layouts, {self.truth['regions']} regions of the data, tolerance {self.truth['tolerance']}",
                *(line for name in self.layers for line in self._of_layer(name)),
                *(f"  warning: {warning}" for warning in self.warnings),
            ]
        )

    def _of_layer(self, name: str) -> list[str]:
        layer, source = self.layers[name], self.truth["source"][name]
        methods: dict[str, dict[str, float]] = layer["methods"]
        height, width = layer["size"]
        head = f"{name}: {layer['num_regions']} regions, {height}×{width}, {layer['count']} {layer['images']} images, "
        head += f"truth: {source}"
        if source == "segmenter":
            quality = self.truth["segmenter"]
            head += f" with accuracy {quality['accuracy']:.3f} (commonest region {quality['commonest']:.3f})"
        rows = [figure for figure in FIGURES if any(figure in found for found in methods.values())]
        columns = {_SHORT.get(method, method): found for method, found in methods.items()}
        at = list(columns).index(UNTRAINED) + 1
        columns = {**dict(list(columns.items())[:at]), "±": layer["untrained_deviation"], **columns}
        lines = [_row("", columns)]
        lines += [_row(row, [_rounded(one[row]) if row in one else "" for one in columns.values()]) for row in rows]
        return [head, *lines]


def layout_scores_result(
    layers: dict[str, dict[str, Any]], warnings: Iterable[str], images: dict[str, Any], truth: dict[str, Any]
) -> LayoutScoresResult:
    """The result of measured layers; arguments as of ``LayoutScoresResult``."""
    figures = {
        f"{name}/{figure}": layer["methods"][LEARNED][figure]
        for name, layer in layers.items()
        for figure in FIGURES
        if figure in layer["methods"][LEARNED]
    }
    return LayoutScoresResult(figures, layers, list(warnings), images, truth)


def _rounded(value: float) -> str:
    return f"{round(value, 3) + 0.0:.3f}"  # no -0.000


def _row(name: str, cells: Iterable[str]) -> str:
    return f"  {name:16}" + "".join(f"{cell:>10}" for cell in cells).rstrip()

"""The learned regions over time: panels and scalars."""

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.utilities.rank_zero import rank_zero_info, rank_zero_warn
from torch import Tensor

from callbacks.image_logging import PictureLogger
from callbacks.loggers import log_scalars
from lit_an.errors import InputError
from lit_an.metrics.layout import (
    LayoutStatistics,
    degeneracy,
    hole_share_of_regions,
    layout_agreement,
    layout_statistics,
)
from lit_an.norms.attentive.semantic_layout import SemanticLayout
from lit_an.norms.recording import recorded_layouts
from lit_an.panels import layout_panel
from lit_an.tasks.adversarial import AdversarialTask
from lit_an.tasks.preview import Preview


class SemanticLayoutLogger(PictureLogger):
    """Logs what the generator's semantic layouts do on fixed inputs.

    For every ``SemanticLayout`` in the generator it logs a panel (the image, the strongest region at each position,
    each region's soft map) and scalars: usage of each region, effective number of regions over all positions and per
    position, entropy, and the mean and spread of the features in each region. In inpainting it also shows the outlines
    of the holes and logs the share of each region inside them. For data with ground-truth regions it logs how well the
    strongest regions separate ocean from land on known pixels, and the agreement expected by chance.
    ``degenerate_iterations`` counts the iterations for which a layout has been uniform or a single region; after
    ``warn_after`` a warning follows. For norms without a layout it prints a notice and logs nothing.

    Args:
        every_iterations: iterations between panels, ≥ 1; one more at the end of training.
        early: also after 10, 20, 50, 100, 200, 500, … iterations, up to ``every_iterations``.
        images_per_row: images in the panel of each row of the task's preview (each class), ≥ 1.
        measured_per_row: images of each row that the scalars are computed from, ≥ ``images_per_row``.
        rows: largest number of rows, ≥ 1; of more classes, an evenly spread subset is shown.
        warn_after: iterations, ≥ 1, for which a layout may be uniform or a single region before a warning; None takes
            five times ``every_iterations``.

    Raises:
        InputError: a number out of range.
    """

    folder = "layouts"

    def __init__(
        self,
        every_iterations: int = 500,
        images_per_row: int = 2,
        measured_per_row: int = 8,
        rows: int = 8,
        warn_after: int | None = None,
        early: bool = True,
    ) -> None:
        super().__init__(every_iterations, early)
        if min(images_per_row, rows) < 1 or measured_per_row < images_per_row:
            raise InputError(
                "SemanticLayoutLogger: images_per_row and rows must be at least 1, and measured_per_row at least "
                f"images_per_row, got images_per_row={images_per_row}, rows={rows}, measured_per_row={measured_per_row}"
            )
        if warn_after is not None and warn_after < 1:
            raise InputError(f"SemanticLayoutLogger: warn_after must be at least 1, got {warn_after}")
        self.images_per_row, self.measured_per_row, self.rows = images_per_row, measured_per_row, rows
        self.warn_after = 5 * every_iterations if warn_after is None else warn_after
        self._degenerate_since: dict[str, int] = {}
        self._warned: set[str] = set()
        self._has_layout = True

    def on_train_start(self, trainer: pl.Trainer, task: AdversarialTask) -> None:
        self._has_layout = any(isinstance(module, SemanticLayout) for module in task.generator.modules())
        if not self._has_layout:
            rank_zero_info(
                "SemanticLayoutLogger: no norm of this generator has a semantic layout, so no region maps are logged"
            )

    def log_pictures(self, trainer: pl.Trainer, task: AdversarialTask) -> None:
        if not self._has_layout:
            return
        with recorded_layouts(task.generator) as recorded:
            preview = task.preview(self.measured_per_row, self.rows)
        images, mask = preview.images, preview.mask
        columns = len(images) // len(preview.row_names)
        # The first few of each row of the preview.
        pictured = [index for index in range(len(images)) if index % columns < self.images_per_row]
        for name, (features, layout) in recorded.items():
            panel = layout_panel(images[pictured], layout[pictured], mask=None if mask is None else mask[pictured])
            self.log_image(trainer, f"layouts/{name}", panel, task.iteration)
            statistics = layout_statistics(layout, features)
            scalars = _scalars(f"layout/{name}", statistics)
            scalars[f"layout/{name}/degenerate_iterations"] = self._watch(name, statistics, task.iteration)
            scalars |= _scalars_of_truth(f"layout/{name}", layout, preview)
            log_scalars(trainer, scalars, task.iteration)

    def _watch(self, name: str, statistics: LayoutStatistics, iteration: int) -> int:
        """Number of iterations for which a layout has been degenerate; warns once after ``warn_after``."""
        found = degeneracy(statistics)
        if found is None:
            self._degenerate_since.pop(name, None)
            self._warned.discard(name)
            return 0
        iterations = iteration - self._degenerate_since.setdefault(name, iteration)
        if iterations >= self.warn_after and name not in self._warned:
            self._warned.add(name)
            rank_zero_warn(
                f"the layout of {name} has been {found} for {iterations} iterations ({_in_words(statistics)}): "
                "attentive normalization is then equal to instance normalization; see docs/temperature.md for "
                "remedies"
            )
        return iterations

    def state_dict(self) -> dict[str, Any]:
        return {"degenerate_since": self._degenerate_since}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._degenerate_since = dict(state_dict["degenerate_since"])


def _in_words(statistics: LayoutStatistics) -> str:
    regions, used = len(statistics.usage), statistics.effective_regions.item()
    return (
        f"{statistics.effective_regions_per_position.item():.1f} of {regions} regions at a position, {used:.1f} in use"
    )


def _scalars_of_truth(prefix: str, layout: Tensor, preview: Preview) -> dict[str, float]:
    """Overlap of regions with holes and agreement with ground-truth regions, where available."""
    scalars: dict[str, float] = {}
    if preview.mask is not None:
        share = hole_share_of_regions(layout, preview.mask)
        scalars |= {f"{prefix}/hole_share/{region:02d}": value for region, value in enumerate(share.tolist())}
        scalars[f"{prefix}/hole_share"] = preview.mask.mean().item()
    if preview.regions is not None:
        # Region 0 of the ground truth is ocean; the others are kinds of land.
        parts = (preview.regions > 0).long()
        agreement = layout_agreement(layout, parts, None if preview.mask is None else 1 - preview.mask)
        scalars[f"{prefix}/agreement"] = agreement.accuracy.item()
        scalars[f"{prefix}/agreement_by_chance"] = agreement.chance.item()
    return scalars


def _scalars(prefix: str, statistics: LayoutStatistics) -> dict[str, float]:
    scalars: dict[str, float] = {}
    for field, value in statistics._asdict().items():
        if value.dim() == 0:
            scalars[f"{prefix}/{field}"] = value.item()
        else:
            scalars |= {f"{prefix}/{field}/{region:02d}": item for region, item in enumerate(value.tolist())}
    return scalars

"""The learned regions over time: panels and scalars."""

from functools import partial
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.utilities.rank_zero import rank_zero_info, rank_zero_warn
from torch import Tensor, nn

from callbacks.image_logging import PictureLogger
from callbacks.loggers import log_scalars
from lit_an.errors import InputError
from lit_an.metrics.layout.diagnosis import Symptom, dead_regions, position_shares, residual_strength, symptoms
from lit_an.metrics.layout.partitions import layout_agreement
from lit_an.metrics.layout.statistics import LayoutStatistics, hole_share_of_regions, layout_statistics
from lit_an.norms.attentive.semantic_layout import SemanticLayout
from lit_an.norms.recording import recorded_layouts
from lit_an.pictures.panels import layout_panel
from lit_an.tasks.adversarial import AdversarialTask
from lit_an.tasks.preview import Preview


class SemanticLayoutLogger(PictureLogger):
    """Logs what the generator's semantic layouts do on fixed inputs.

    For every ``SemanticLayout`` in the generator it logs a panel (the image, its regions in colors over it, each
    region's soft map) and scalars: usage of each region, effective number of regions over all positions and per
    position, entropy, and the mean and spread of the features in each region. In inpainting it also shows the outlines
    of the holes and logs the share of each region inside them. For data with ground-truth regions it logs how well the
    strongest regions separate ocean from land on known pixels, and the agreement expected by chance.

    Four scalars show what can be wrong with a layout: ``degenerate_iterations``, the iterations for which it has been
    uniform or a single region; ``dead_regions``, the number of those with less than a tenth of their even share;
    ``residual_strength``, |ρ| by the features' standard deviation; ``position_share``, the share of its variance that
    position alone explains (see ``lit_an.metrics.layout.diagnosis``). After ``warn_after`` iterations of one, a warning
    says what to try. For norms without a layout it prints a notice and logs nothing.

    Args:
        every_iterations: iterations between panels, ≥ 1; one more at the end of training.
        early: also after 0, 1, 2, 5, 10, 20, 50, 100, … iterations, up to ``every_iterations``.
        images_per_row: images in the panel of each row of the task's preview (each class), ≥ 1.
        measured_per_row: images of each row that the scalars are computed from, ≥ ``images_per_row``.
        rows: largest number of rows, ≥ 1; of more classes, an evenly spread subset is shown.
        warn_after: iterations, ≥ 1, for which something may be wrong with a layout before a warning; None takes five
            times ``every_iterations``.

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
        # Since when, by layer (degenerate layouts), or by layer and symptom.
        self._since: dict[str, int] = {}
        self._warned: set[str] = set()
        self._has_layout = True

    def on_train_start(self, trainer: pl.Trainer, task: AdversarialTask) -> None:
        super().on_train_start(trainer, task)
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
        with task.evaluation():  # of the averaged weights, as the preview
            scales = {name: _residual_scale(task.generator, name) for name in recorded}
        images, mask = preview.images, preview.mask
        columns = len(images) // len(preview.row_names)
        # The first few of each row of the preview.
        pictured = [index for index in range(len(images)) if index % columns < self.images_per_row]
        for name, (features, layout) in recorded.items():
            panel = layout_panel(
                images[pictured],
                layout[pictured],
                [f"{preview.row_names[i // columns]} {preview.column_names[i % columns]}" for i in pictured],
                self.footer(trainer, task),
                None if mask is None else mask[pictured],
            )
            self.log_image(trainer, f"layouts/{name}", panel, task.iteration)
            statistics, shares = layout_statistics(layout, features), position_shares(layout)
            scale = scales[name]
            strength = None if scale is None else residual_strength(scale, features)
            found = symptoms(statistics, strength, shares)
            scalars = _scalars(f"layout/{name}", statistics)
            scalars[f"layout/{name}/dead_regions"] = dead_regions(statistics.usage)
            if strength is not None:
                scalars[f"layout/{name}/residual_strength"] = strength
            if not shares.position.isnan():  # of one image
                scalars[f"layout/{name}/position_share"] = shares.position.item()
            scalars[f"layout/{name}/degenerate_iterations"] = self._watch(name, found, task.iteration)
            scalars |= _scalars_of_truth(f"layout/{name}", layout, preview)
            self.write_later(partial(log_scalars, trainer, scalars, task.iteration))

    def _watch(self, name: str, found: list[Symptom], iteration: int) -> int:
        """Number of iterations for which a layout has been degenerate; warns once of each symptom that stays."""
        keys = {symptom.kind: name if symptom.kind == "degenerate" else f"{name}: {symptom.kind}" for symptom in found}
        for key in [key for key in self._since if key.partition(":")[0] == name and key not in keys.values()]:
            del self._since[key]
            self._warned.discard(key)
        for symptom in found:
            key = keys[symptom.kind]
            iterations = iteration - self._since.setdefault(key, iteration)
            if iterations >= self.warn_after and key not in self._warned:
                self._warned.add(key)
                rank_zero_warn(
                    f"the layout of {name} has been {symptom.name} for {iterations} iterations ({symptom.figures}): "
                    f"{symptom.advice}; see docs/layouts.md"
                )
        return iteration - self._since.get(name, iteration)

    def state_dict(self) -> dict[str, Any]:
        return {"degenerate_since": self._since}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._since = dict(state_dict["degenerate_since"])


def _residual_scale(network: nn.Module, name: str) -> Tensor | None:
    """ρ of the norm that has the layout, if it has one."""
    scale = getattr(network.get_submodule(name), "residual_scale", None)
    return None if scale is None else scale.detach().clone()


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

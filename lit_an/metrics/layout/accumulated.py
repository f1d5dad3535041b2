"""The scores of layouts as torchmetrics: states are sums over images, and processes add theirs.

``DatasetRegionScores`` and ``ImageRegionScores`` compare with a ground truth. A region has the same number in all
images, so the first, stricter one asks that it also means the same; the second matches the regions of every image anew.
``RegionUse`` and ``LayoutStability`` need no ground truth. They are on any device that has float64.
"""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from lit_an.metrics.layout.boundaries import BoundaryCounts, boundary_counts, boundary_f_score
from lit_an.metrics.layout.contingency import at_positions, joint_histogram, strongest_regions
from lit_an.metrics.layout.partitions import partition_scores
from lit_an.metrics.layout.position import PositionSums, position_sums, shares_of_position
from lit_an.metrics.layout.stability import kappa
from lit_an.metrics.layout.statistics import entropy

# Region maps are often bytes.
MOST_PARTS = 256


class _SumMetric(Metric):
    """Base of metrics whose states are sums, so that their order and number of updates do not matter."""

    full_state_update = False

    def _add_sum(self, name: str, *shape: int, dtype: torch.dtype = torch.int64) -> None:
        self.add_state(name, torch.zeros(shape, dtype=dtype), dist_reduce_fx="sum")


class DatasetRegionScores(_SumMetric):
    """Scores of the strongest regions against ground truth, all images as one: a region has one meaning.

    ``compute`` gives ``miou``, ``purity``, ``chance``, ``ari`` and ``nmi`` (see ``PartitionScores``) of the joint
    histogram of all images, and ``boundary_f`` (see ``boundary_f_score``) of all their boundaries. NaN unless two true
    regions or more were counted: with one there is nothing to tell apart, and a layout of one region would be perfect.

    Args:
        num_regions: N, of the layout.
        num_parts: K, at least as many as the ground truth has.
        tolerance: of boundaries, in positions of the layout, ≥ 0.
        kwargs: see ``torchmetrics.Metric``.

    Raises:
        InputError: at an update, a region of the ground truth beyond K.

    Example:
        >>> scores = DatasetRegionScores(num_regions=2)
        >>> layout = torch.eye(2).view(1, 2, 1, 2)  # region 0 at the left, 1 at the right
        >>> scores.update(layout, torch.tensor([[[5, 7]]]))
        >>> scores.update(layout, torch.tensor([[[7, 5]]]))  # here they have changed their meaning
        >>> round(float(scores.compute()["miou"]), 3), float(scores.compute()["boundary_f"])
        (0.333, 1.0)
    """

    table: Tensor
    boundaries: Tensor

    def __init__(self, num_regions: int, num_parts: int = MOST_PARTS, tolerance: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_regions, self.num_parts, self.tolerance = num_regions, num_parts, tolerance
        self._add_sum("table", num_regions, num_parts)
        self._add_sum("boundaries", len(BoundaryCounts._fields))

    def update(self, layout: Tensor, parts: Tensor, counted: Tensor | None = None) -> None:
        """Adds images.

        Args:
            layout: (B, N, h, w), ≥ 0; soft region membership.
            parts: (B, H, W), int64, the true region of each pixel; the one in the middle of a position stands for it.
            counted: (B, H, W), bool, which pixels count; None counts all.
        """
        table, boundaries = _compared(layout, parts, counted, (self.num_regions, self.num_parts), self.tolerance)
        self.table += table.sum(0)
        self.boundaries += torch.stack([count.sum() for count in boundaries])

    def compute(self) -> dict[str, Tensor]:
        scores = partition_scores(self.table)._asdict()
        scores["boundary_f"] = boundary_f_score(BoundaryCounts(*self.boundaries))
        several = (self.table.sum(0) > 0).sum() > 1
        return {name: torch.where(several, score, torch.nan) for name, score in scores.items()}


class ImageRegionScores(_SumMetric):
    """Means over images of the scores of single images: every image matches its regions anew.

    ``compute`` gives ``image_miou``, ``image_purity``, ``image_chance``, ``image_ari``, ``image_nmi`` and
    ``image_boundary_f``, means over the images whose counted positions have two true regions or more, and the number of
    these, ``several_regions``. NaN without such images.

    Args:
        num_regions, num_parts, tolerance, kwargs: see ``DatasetRegionScores``.

    Raises:
        InputError: at an update, a region of the ground truth beyond K.

    Example:
        >>> scores = ImageRegionScores(num_regions=2)
        >>> layout = torch.eye(2).view(1, 2, 1, 2)
        >>> scores.update(layout, torch.tensor([[[5, 7]]]))
        >>> scores.update(layout, torch.tensor([[[7, 5]]]))
        >>> float(scores.compute()["image_miou"])
        1.0
    """

    FIGURES = ("miou", "purity", "chance", "ari", "nmi", "boundary_f")
    total: Tensor
    images: Tensor

    def __init__(self, num_regions: int, num_parts: int = MOST_PARTS, tolerance: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_regions, self.num_parts, self.tolerance = num_regions, num_parts, tolerance
        self._add_sum("total", len(self.FIGURES), dtype=torch.float64)
        self._add_sum("images")

    def update(self, layout: Tensor, parts: Tensor, counted: Tensor | None = None) -> None:
        """Adds images; arguments as of ``DatasetRegionScores``."""
        table, boundaries = _compared(layout, parts, counted, (self.num_regions, self.num_parts), self.tolerance)
        several = (table.sum(1) > 0).sum(1) > 1
        scores = torch.stack([*partition_scores(table), boundary_f_score(boundaries)])  # (figures, B)
        self.total += scores[:, several].sum(1)
        self.images += several.sum()

    def compute(self) -> dict[str, Tensor]:
        means = self.total / self.images  # 0 / 0 is NaN
        return {f"image_{name}": mean for name, mean in zip(self.FIGURES, means, strict=True)} | {
            "several_regions": self.images
        }


class RegionUse(_SumMetric):
    """What regions are used for, without ground truth.

    ``compute`` gives ``regions_in_use``, exp of the entropy of the shares of positions at which each region is the
    strongest, in [1, N]; and ``position_share``, ``border_share`` and ``grid_share``, see ``PositionShares``.

    Args:
        num_regions: N, of the layout.
        size: (h, w) of the layout.
        kwargs: see ``torchmetrics.Metric``.
    """

    strongest: Tensor
    total: Tensor
    square: Tensor
    images: Tensor

    def __init__(self, num_regions: int, size: tuple[int, int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._add_sum("strongest", num_regions)
        self._add_sum("total", num_regions, *size, dtype=torch.float64)
        self._add_sum("square", dtype=torch.float64)
        self._add_sum("images")

    def update(self, layout: Tensor) -> None:
        """Adds layouts (B, N, h, w) of images, whose memberships sum to 1 over N."""
        self.strongest += torch.bincount(strongest_regions(layout).flatten(), minlength=len(self.strongest))
        sums = position_sums(layout)
        self.total += sums.total
        self.square += sums.square
        self.images += sums.images

    def compute(self) -> dict[str, Tensor]:
        share = self.strongest.double() / self.strongest.sum()
        shares = shares_of_position(PositionSums(self.total, self.square, self.images))
        return {"regions_in_use": entropy(share, 0).exp()} | {
            f"{name}_share": x for name, x in shares._asdict().items()
        }


class LayoutStability(_SumMetric):
    """Cohen's ``kappa`` of the strongest regions of two layouts of the same images.

    Args:
        num_regions: N, of both layouts.
        kwargs: see ``torchmetrics.Metric``.
    """

    table: Tensor

    def __init__(self, num_regions: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._add_sum("table", num_regions, num_regions)

    def update(self, one: Tensor, other: Tensor) -> None:
        """Adds layouts (B, N, h, w) of images, in the same place."""
        sizes = (len(self.table), len(self.table))
        self.table += joint_histogram(strongest_regions(one), strongest_regions(other), sizes).sum(0)

    def compute(self) -> Tensor:
        return kappa(self.table)


def _compared(
    layout: Tensor, parts: Tensor, counted: Tensor | None, sizes: tuple[int, int], tolerance: int
) -> tuple[Tensor, BoundaryCounts]:
    """The joint histogram and the boundaries of each image, at the layout's resolution."""
    size = (layout.shape[2], layout.shape[3])
    found, true = strongest_regions(layout), at_positions(parts, size)
    kept = None if counted is None else at_positions(counted, size)
    return joint_histogram(found, true, sizes, kept), boundary_counts(found, true, kept, tolerance)

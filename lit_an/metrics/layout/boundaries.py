"""The boundary F-score: whether borders between regions lie where borders of the ground truth are."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class BoundaryCounts(NamedTuple):
    """Boundary positions of each image, all (B,), int64.

    Attributes:
        found: boundary positions of the layout.
        found_near: those with a true boundary within the tolerance.
        true: boundary positions of the ground truth.
        true_near: those with a boundary of the layout within the tolerance.
    """

    found: Tensor
    found_near: Tensor
    true: Tensor
    true_near: Tensor


def boundary_counts(found: Tensor, true: Tensor, counted: Tensor | None = None, tolerance: int = 1) -> BoundaryCounts:
    """Counts the boundary positions of two region maps, and those near a boundary of the other.

    A position is a boundary if its right or its lower neighbor lies in another region, and both count.

    Args:
        found, true: (B, h, w), int64, regions of the layout and of the ground truth.
        counted: (B, h, w), bool, which positions count; None counts all.
        tolerance: in positions of these maps, ≥ 0: as far as two boundaries may lie apart in height and in width.

    Example:
        >>> found, true = torch.tensor([[[0, 0, 1, 1, 1, 0]]]), torch.tensor([[[0, 1, 1, 1, 1, 1]]])
        >>> [int(count) for count in boundary_counts(found, true)]
        [2, 1, 1, 1]
    """
    kept = torch.ones_like(found, dtype=torch.bool) if counted is None else counted
    mine, other = _boundary(found, kept), _boundary(true, kept)
    pairs = (mine, mine & _widened(other, tolerance), other, other & _widened(mine, tolerance))
    return BoundaryCounts(*(part.sum((1, 2)) for part in pairs))


def boundary_f_score(counts: BoundaryCounts) -> Tensor:
    """2 P R / (P + R), P = found_near / found, R = true_near / true; larger is better.

    Returns:
        Of the counts' shape, in [0, 1]; 0 if no boundary is near one of the other map.

    Source: Csurka et al., "What is a good evaluation measure for semantic segmentation?", BMVC 2013, section 2.2;
    as the contour accuracy F of Perazzi et al., DAVIS, CVPR 2016.
    Differs: distances are the larger of those in height and in width, so that a tolerance of 1 is the 8 neighbors.

    Example:
        >>> counts = BoundaryCounts(*(torch.tensor(count) for count in (4, 2, 3, 3)))
        >>> round(float(boundary_f_score(counts)), 3)
        0.667
    """
    precision = counts.found_near.double() / counts.found.double().clamp_min(1)
    recall = counts.true_near.double() / counts.true.double().clamp_min(1)
    return 2 * precision * recall / (precision + recall).clamp_min(1e-300)


def _boundary(regions: Tensor, counted: Tensor) -> Tensor:
    edge = torch.zeros_like(counted)
    edge[:, :-1] |= (regions[:, 1:] != regions[:, :-1]) & counted[:, 1:] & counted[:, :-1]
    edge[:, :, :-1] |= (regions[:, :, 1:] != regions[:, :, :-1]) & counted[:, :, 1:] & counted[:, :, :-1]
    return edge


def _widened(edge: Tensor, tolerance: int) -> Tensor:
    return F.max_pool2d(edge[:, None].float(), 2 * tolerance + 1, stride=1, padding=tolerance)[:, 0] > 0

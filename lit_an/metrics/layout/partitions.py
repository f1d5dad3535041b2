"""Scores of a partition into regions against another one: mIoU, purity, adjusted Rand index, mutual information.

All are functions of the joint histogram T of two maps: T[n, k] positions lie in region n of the layout and in region k
of the ground truth. A histogram summed over images gives scores of the data set, in which a region has to mean the same
in every image; a histogram of one image gives scores of an image, which lets every image match anew.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from lit_an.metrics.layout.contingency import at_positions, joint_histogram, strongest_regions
from lit_an.metrics.layout.statistics import entropy


class PartitionScores(NamedTuple):
    """Scores of joint histograms (…, N, K), each of shape (…); NaN where a histogram is empty. Larger is better.

    Attributes:
        miou: in [0, 1], see ``matched_iou``.
        purity: in [0, 1], Σₙ maxₖ T[n, k] / Σ T: share of the positions whose region says what they are, each region
            standing for the true region that it meets most often. Never falls when a region is split.
        chance: in [0, 1], maxₖ Σₙ T[n, k] / Σ T: the purity of a layout of one region.
        ari: in [-0.5, 1], adjusted Rand index, (a - e) / ((r + c) / 2 - e): of all pairs of positions, a are together
            in both maps, r in the layout, c in the truth, and e = r c / (number of pairs) is a by chance; 0 expected
            by chance, 1 for equal partitions.
        nmi: in [0, 1], 2 I / (H + H'): mutual information of the two maps by the mean of their entropies.
    """

    miou: Tensor
    purity: Tensor
    chance: Tensor
    ari: Tensor
    nmi: Tensor


def partition_scores(table: Tensor) -> PartitionScores:
    """Scores of a layout against the ground truth, from joint histograms.

    Args:
        table: (…, N, K), int64, ≥ 0: rows are the layout's regions, columns the true ones.

    Source: adjusted Rand index: Hubert and Arabie, "Comparing partitions", Journal of Classification 1985, equation 5;
    mutual information: Strehl and Ghosh, JMLR 2002, normalized by the arithmetic mean as in scikit-learn, with
    scikit-learn's values where both maps have one region (1) or one of them has (0); purity: Manning, Raghavan,
    Schütze, "Introduction to information retrieval", 2008, section 16.3.

    Example:
        >>> scores = partition_scores(torch.tensor([[0, 6], [3, 0], [3, 0]]))  # one true region is split
        >>> [round(float(score), 3) for score in scores]
        [0.75, 1.0, 0.5, 0.718, 0.8]
    """
    counts = table.double()
    rows, columns, total = counts.sum(-1), counts.sum(-2), counts.sum((-2, -1))
    empty = total == 0
    some = total.clamp_min(1)

    def shown(score: Tensor) -> Tensor:
        return torch.where(empty, torch.nan, score)

    return PartitionScores(
        shown(matched_iou(table)),
        shown(counts.amax(-1).sum(-1) / some),
        shown(columns.amax(-1) / some),
        shown(_adjusted_rand(counts, rows, columns, total)),
        shown(_mutual_information(counts, rows, columns, some)),
    )


def matched_iou(table: Tensor) -> Tensor:
    """Mean intersection over union of the true regions with the layout's, matched one to one as well as possible.

    IoU[n, k] = T[n, k] / (Σ T[n, :] + Σ T[:, k] - T[n, k]); the matching σ maximizes Σₖ IoU[σ(k), k], and the mean is
    over the true regions that occur. A true region that is left without a partner counts as 0, and so do the parts of
    a true region that the layout splits beyond the one that is matched.

    Args:
        table: (…, N, K), int64, ≥ 0.

    Returns:
        (…), in [0, 1], larger is better; 0 for an empty histogram.

    Source: matching by the Hungarian algorithm as in Ji et al., IIC, ICCV 2019 (arXiv 1807.06653), and the mIoU of
    Cho et al., PiCIE, CVPR 2021 (arXiv 2103.17070).
    Differs: they match the numbers of common positions and then compute IoU; here the matching maximizes the mean IoU,
    so that the figure does not depend on how common a true region is.

    Example:
        >>> float(matched_iou(torch.tensor([[4, 0], [0, 2], [0, 2]])))
        0.75
    """
    # Where it is used: the import takes longer than all else here.
    from scipy.optimize import linear_sum_assignment

    counts = table.double()
    union = counts.sum(-1, keepdim=True) + counts.sum(-2, keepdim=True) - counts
    iou = (counts / union.clamp_min(1)).flatten(0, -3) if table.dim() > 2 else (counts / union.clamp_min(1))[None]
    present = (counts.sum(-2) > 0).sum(-1).clamp_min(1)
    # A true region that does not occur has IoU 0 with all, and is matched to no effect.
    matched = [one[linear_sum_assignment(one, maximize=True)].sum() for one in iou.cpu().numpy()]
    return torch.tensor(matched, dtype=torch.float64, device=table.device).view(table.shape[:-2]) / present


class LayoutAgreement(NamedTuple):
    """How well a layout tells the parts of a known map apart.

    Attributes:
        accuracy: scalar in [0, 1]; share of the positions whose strongest region says what they are, each region
            standing for the part that it meets most often: the purity of ``partition_scores`` over all images.
        chance: scalar in [0, 1]; the same for a layout of one region: the share of the commonest part.
    """

    accuracy: Tensor
    chance: Tensor


def layout_agreement(layout: Tensor, parts: Tensor, known: Tensor | None = None) -> LayoutAgreement:
    """Compares the strongest region of each position with ground-truth regions not used in training.

    Args:
        layout: (B, N, h, w), ≥ 0; soft region membership.
        parts: (B, H, W), int64, which part of the truth each pixel belongs to, such as ocean and land; H and W are
            multiples of h and w, and the pixel in the middle of a position stands for it.
        known: (B, 1, H, W), 1 = counts; None counts all pixels.

    Example:
        >>> layout = torch.tensor([[[[0.9, 0.8, 0.2]], [[0.1, 0.2, 0.8]]]])
        >>> agreement = layout_agreement(layout, torch.tensor([[[0, 0, 1]]]))
        >>> float(agreement.accuracy), round(float(agreement.chance), 3)
        (1.0, 0.667)
    """
    size = (layout.shape[2], layout.shape[3])
    counted = None if known is None else at_positions(known[:, 0] > 0.5, size)
    sizes = (layout.shape[1], int(parts.max()) + 1)
    table = joint_histogram(strongest_regions(layout), at_positions(parts, size), sizes, counted).sum(0).double()
    total = table.sum().clamp_min(1)
    return LayoutAgreement(table.amax(1).sum() / total, table.sum(0).amax() / total)


def _adjusted_rand(counts: Tensor, rows: Tensor, columns: Tensor, total: Tensor) -> Tensor:
    def pairs(number: Tensor) -> Tensor:
        return number * (number - 1) / 2

    together, of_layout, of_truth = pairs(counts).sum((-2, -1)), pairs(rows).sum(-1), pairs(columns).sum(-1)
    by_chance = of_layout * of_truth / pairs(total).clamp_min(1)
    most = (of_layout + of_truth) / 2
    same = (together == of_layout) & (together == of_truth)
    return torch.where(same, 1.0, (together - by_chance) / torch.where(same, 1.0, most - by_chance))


def _mutual_information(counts: Tensor, rows: Tensor, columns: Tensor, total: Tensor) -> Tensor:
    of_layout, of_truth = entropy(rows / total[..., None], -1), entropy(columns / total[..., None], -1)
    both = entropy((counts / total[..., None, None]).flatten(-2), -1)
    single = ((rows > 0).sum(-1) == 1) & ((columns > 0).sum(-1) == 1)
    information = (of_layout + of_truth - both).clamp_min(0)
    return torch.where(single, 1.0, 2 * information / (of_layout + of_truth).clamp_min(torch.finfo(torch.float64).eps))

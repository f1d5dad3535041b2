"""Whether a layout gives a position the same region twice: Cohen's kappa of two layouts of the same images."""

import torch
from torch import Tensor


def kappa(table: Tensor) -> Tensor:
    """Agreement of two maps of the same regions beyond chance, (pₒ - pₑ) / (1 - pₑ).

    pₒ is the share of positions that have the same region in both maps, pₑ = Σₙ aₙ bₙ the share expected of maps with
    the same shares of regions a and b and nothing in common. Unlike the share of equal positions, it gives nothing for
    a layout of one region.

    Args:
        table: (N, N), int64, joint histogram of the two maps.

    Returns:
        Scalar in [-1, 1], larger is more stable: 1 for equal maps, about 0 for unrelated ones, 0 where both have one
        and the same region alone; NaN for an empty histogram.

    Source: Cohen, "A coefficient of agreement for nominal scales", Educational and Psychological Measurement 1960.

    Example:
        >>> float(kappa(torch.tensor([[5, 0], [0, 5]]))), float(kappa(torch.tensor([[10, 0], [0, 0]])))
        (1.0, 0.0)
    """
    share = table.double() / table.sum()
    same, by_chance = share.diagonal().sum(), (share.sum(0) * share.sum(1)).sum()
    return torch.where(by_chance == 1, 0.0, (same - by_chance) / torch.where(by_chance == 1, 1.0, 1 - by_chance))

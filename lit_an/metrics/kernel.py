"""The kernel distance between two sets of features: KID for any feature network."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lit_an.errors import at_least
from lit_an.metrics.feature_pairs import check_features

# Rows of a matrix of kernel values at a time: 50,000 columns of float64 are then 400 MB.
_ROWS = 1000


class KernelDistance(NamedTuple):
    """Squared maximum mean discrepancy over random subsets.

    Attributes:
        mean: over the subsets; unbiased, so about 0, below it too, for two samples of one distribution.
        deviation: standard deviation over the subsets.
        subset_size: images of each side in a subset.
    """

    mean: float
    deviation: float
    subset_size: int


def kernel_distance(
    fake: Tensor, real: Tensor, subsets: int = 100, subset_size: int = 1000, seed: int = 2020
) -> KernelDistance:
    """KID as published: the mean of ``squared_mmd`` over random subsets; smaller is better.

    The subsets are those that torch-fidelity draws with the same seed.

    Args:
        fake, real: (M, D), (N, D) features, at least 2 images each.
        subsets: ≥ 1.
        subset_size: images of each side in a subset; of fewer images, all are taken.
        seed: chooses the subsets.

    Raises:
        InputError: fewer images, features of different widths, or a subset of fewer than two.

    Source: Bińkowski et al., "Demystifying MMD GANs", ICLR 2018, section 4.
    """
    fake, real = fake.double(), real.double()
    check_features("the kernel distance", fake, real, 2)
    at_least("kernel_distance", 1, subsets=subsets)
    at_least("kernel_distance", 2, subset_size=subset_size)
    size = min(subset_size, len(fake), len(real))
    if size == len(fake) == len(real):  # every subset would hold all images
        return KernelDistance(squared_mmd(fake, real), 0.0, size)
    random = np.random.RandomState(seed)
    distances = []
    for _ in range(subsets):
        chosen = [torch.from_numpy(random.choice(len(side), size, replace=False)) for side in (fake, real)]
        distances.append(squared_mmd(fake[chosen[0]], real[chosen[1]]))
    return KernelDistance(float(np.mean(distances)), float(np.std(distances)), size)


def squared_mmd(fake: Tensor, real: Tensor) -> float:
    """Unbiased estimate of the squared maximum mean discrepancy, from all pairs of (M, D) and (N, D) features.

    Kernel: (x·y / D + 1)³. Unbiased because no image is paired with itself.

    Raises:
        InputError: fewer than two images of a side, or features of different widths.

    Source: Gretton et al., "A kernel two-sample test", JMLR 2012, equation 3.

    Example:
        >>> round(squared_mmd(torch.tensor([[0.0], [1.0]]), torch.tensor([[1.0], [1.0]])), 6)
        0.0
    """
    check_features("the squared MMD", fake, real, 2)
    m, n = len(fake), len(real)
    within = _kernel_sum(fake, fake, True) / (m * (m - 1)) + _kernel_sum(real, real, True) / (n * (n - 1))
    return within - 2 * _kernel_sum(fake, real, False) / (m * n)


def _kernel_sum(first: Tensor, second: Tensor, without_diagonal: bool) -> float:
    first, second = first.double(), second.double()
    total = torch.zeros((), dtype=torch.float64, device=first.device)
    for rows in first.split(_ROWS):
        total += (rows @ second.T / first.shape[1] + 1).pow(3).sum()
    if without_diagonal:
        total -= (first.square().sum(1) / first.shape[1] + 1).pow(3).sum()
    return float(total)

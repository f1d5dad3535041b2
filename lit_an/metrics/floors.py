"""The Fréchet distance between two samples of one distribution, which is above 0 for finite samples."""

import torch
from torch import Tensor

from lit_an.metrics.frechet import frechet_distance_of_features

# The least number of real images that can be split into quarters of two.
FEWEST = 8
_SPLITS = 4
_CLASSES = 10


def frechet_floor(real: Tensor, num_generated: int, num_real: int, seed: int = 0) -> float | None:
    """The expected Fréchet distance of two samples of the real distribution of those sizes; None if it is unknown.

    Measured on real images alone: the distance between random halves, and between random quarters, mean over four
    shuffles (one where there are four times as many images as features). From quarters of n / 4 to halves of n / 2
    the distance falls as a power of the count; the same power leads on to the harmonic mean of the two sizes, which
    is what the distance depends on where images are many. The power is at most 1, its value for many images.

    Args:
        real: (N, D), features of real images.
        num_generated, num_real: sizes of the two samples, ≥ 2.
        seed: of the shuffles.

    Returns:
        The floor, ≥ 0, or None from fewer than 8 real images. The estimate is within 21 % of the true value in the
        table of docs/metrics.md, and less certain if few features carry most of the variance.

    Example:
        >>> features = torch.randn(200, 4, generator=torch.Generator().manual_seed(0))
        >>> few, many = frechet_floor(features, 20, 20), frechet_floor(features, 2000, 2000)
        >>> 0 < many < few
        True
    """
    if len(real) < FEWEST:
        return None
    generator = torch.Generator().manual_seed(seed)
    half, quarter = len(real) // 2, len(real) // 4
    halves, quarters = [], []
    for _ in range(_SPLITS if len(real) < 4 * real.shape[1] else 1):
        rows = real[torch.randperm(len(real), generator=generator).to(real.device)]
        first, second, third, fourth = (rows[start * quarter : (start + 1) * quarter] for start in range(4))
        halves.append(frechet_distance_of_features(rows[:half], rows[half : 2 * half]))
        quarters += [frechet_distance_of_features(first, second), frechet_distance_of_features(third, fourth)]
    of_halves, of_quarters = sum(halves) / len(halves), sum(quarters) / len(quarters)
    if not 0 < of_halves < of_quarters:
        return max(of_halves, 0.0)
    power = torch.tensor(of_quarters / of_halves).log() / torch.tensor(half / quarter).log()
    harmonic = 2 / (1 / num_generated + 1 / num_real)
    return float(of_halves * (half / harmonic) ** power.clamp(0, 1))


def intra_floor(real: Tensor, label: Tensor, generated: list[int], counts: list[int]) -> float | None:
    """The mean over classes of ``frechet_floor`` within a class, from ten of the classes, evenly spread.

    Args:
        real: (N, D), features of real images.
        label: (N,), int64, their classes.
        generated, counts: numbers of generated and real images of each class.

    Returns:
        The floor, or None if no class has 8 real images.
    """
    known = [place for place, count in enumerate(counts) if min(generated[place], count) >= 2 and count >= FEWEST]
    shown = min(_CLASSES, len(known))
    spread = [known[place * len(known) // shown] for place in range(shown)]
    floors = [frechet_floor(real[label == place], generated[place], counts[place], seed=place) for place in spread]
    found = [floor for floor in floors if floor is not None]
    return sum(found) / len(found) if found else None

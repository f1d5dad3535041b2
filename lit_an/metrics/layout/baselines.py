"""What a layout is compared with: clusters of colors or of features, a position grid, chance and one region.

Each has as many regions as the layout, and a region means the same in every image.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from lit_an.seeds import mix_seed

_SEED = 2020


def one_hot_layout(regions: Tensor, num_regions: int) -> Tensor:
    """(B, N, h, w), float32: the layout in which each position of (B, h, w) belongs to one region."""
    return F.one_hot(regions, num_regions).movedim(-1, 1).float()


def fit_clusters(points: Tensor, count: int, restarts: int = 3, steps: int = 100) -> Tensor:
    """Centers of k-means: the best of several starts, each with k-means++ and Lloyd's iterations until nothing moves.

    Args:
        points: (M, C), M ≥ 1.
        count: centers, ≥ 1; of fewer different points some are the same.
        restarts: starts, ≥ 1.
        steps: most iterations of each, ≥ 1.

    Returns:
        (count, C), float64; the same for the same points.

    Source: Lloyd, IEEE Transactions on Information Theory 1982; Arthur and Vassilvitskii, "k-means++", SODA 2007.

    Example:
        >>> fit_clusters(torch.tensor([[0.0], [1.0], [9.0], [11.0]]), 2).sort(0).values.flatten().tolist()
        [0.5, 10.0]
    """
    points = points.double()
    best, least = points[:1].expand(count, -1), float("inf")
    for restart in range(restarts):
        generator = torch.Generator().manual_seed(mix_seed(_SEED, restart))
        centers = _spread_start(points, count, generator)
        for _ in range(steps):
            nearest = _distances(points, centers).argmin(1)
            sums = torch.zeros_like(centers).index_add(0, nearest, points)
            sizes = torch.bincount(nearest, minlength=count)[:, None]
            moved = torch.where(sizes > 0, sums / sizes.clamp_min(1), centers)
            if torch.equal(moved, centers):
                break
            centers = moved
        inertia = float(_distances(points, centers).amin(1).sum())
        if inertia < least:
            best, least = centers, inertia
    return best


def cluster_layout(maps: Tensor, centers: Tensor) -> Tensor:
    """The layout of the nearest centers.

    Args:
        maps: (B, C, h, w), colors or features.
        centers: (N, C), of ``fit_clusters``.

    Returns:
        (B, N, h, w), float32, one-hot.
    """
    points = maps.double().movedim(1, -1)
    nearest = _distances(points.flatten(0, 2), centers.to(points.device)).argmin(1).view(points.shape[:3])
    return one_hot_layout(nearest, len(centers))


def grid_layout(num_regions: int, size: tuple[int, int]) -> Tensor:
    """(N, h, w), float32: N blocks of about equal size in ⌊√N⌋ bands, the same in every image.

    Example:
        >>> grid_layout(5, (2, 6)).argmax(0).tolist()
        [[0, 0, 0, 1, 1, 1], [2, 2, 3, 3, 4, 4]]
    """
    height, width = size
    bands = int(num_regions**0.5)
    band = torch.arange(height)[:, None] * bands // height
    first, end = band * num_regions // bands, (band + 1) * num_regions // bands
    regions = first + torch.arange(width) * (end - first) // width
    return one_hot_layout(regions[None], num_regions)[0]


def random_layout(numbers: Tensor, num_regions: int, size: tuple[int, int]) -> Tensor:
    """(B, N, h, w), float32, one-hot: a region at random for each position, a function of the image's number alone."""
    drawn = []
    for number in numbers.tolist():
        generator = torch.Generator().manual_seed(mix_seed(_SEED, number))
        drawn.append(torch.randint(num_regions, size, generator=generator))
    return one_hot_layout(torch.stack(drawn), num_regions)


def _spread_start(points: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Points drawn one by one, each with a probability that grows with its squared distance from those before."""
    chosen = [int(torch.randint(len(points), (), generator=generator))]
    square = _distances(points, points[chosen]).flatten()
    for _ in range(count - 1):
        steps = square.cpu().cumsum(0)
        place = torch.rand((), generator=generator, dtype=torch.float64) * steps[-1]
        chosen.append(min(int(torch.searchsorted(steps, place, right=True)), len(points) - 1))
        square = torch.minimum(square, _distances(points, points[chosen[-1:]]).flatten())
    return points[chosen]


def _distances(points: Tensor, centers: Tensor) -> Tensor:
    """(M, N): squared distances."""
    return torch.cdist(points, centers).square()

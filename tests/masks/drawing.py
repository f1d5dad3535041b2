"""Many masks at once, for the tests."""

import torch
from torch import Tensor

from lit_an.masks import HoleShape


def drawn(shape: HoleShape, count: int, size: int = 128) -> Tensor:
    """(count, size, size), bool."""
    return torch.cat([shape.draw(size, size, seed) for seed in range(count)]) > 0.5

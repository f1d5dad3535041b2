"""Mixtures of hole shapes."""

import math

import numpy as np

from lit_an.errors import InputError
from lit_an.masks.base import HoleShape
from lit_an.seeds import mix_seed


class Mixture(HoleShape):
    """One of several shapes, chosen for each mask by its seed.

    Args:
        shapes: at least one; mixtures may be among them.
        weights: one for each shape, ≥ 0, with a positive sum; None means equal weights.

    Raises:
        InputError: no shapes, or weights that do not fit them.

    Example:
        >>> from lit_an.masks.border import Half
        >>> from lit_an.masks.rectangle import Center
        >>> mixture = Mixture([Center(), Half()], weights=[1.0, 3.0])
        >>> 60 < sum(float(mixture.draw(8, 8, seed).mean()) == 0.5 for seed in range(100)) < 90
        True
    """

    def __init__(self, shapes: list[HoleShape], weights: list[float] | None = None) -> None:
        self.shapes, self.weights = shapes, weights
        if not shapes:
            raise InputError("Mixture: shapes is empty; give at least one")
        chances = np.ones(len(shapes)) if weights is None else np.array(weights, dtype=float)
        if len(chances) != len(shapes):
            raise InputError(
                f"Mixture: weights must be as many as shapes, got {len(chances)} weights for {len(shapes)} shapes"
            )
        if not (np.isfinite(chances).all() and chances.min() >= 0 and chances.sum() > 0):
            raise InputError(f"Mixture: weights must be at least 0 and not all 0, got {weights}")
        self._below = np.cumsum(chances / math.fsum(chances))

    def paint(self, height: int, width: int, seed: int, index: int | None) -> np.ndarray:
        chosen = int(np.searchsorted(self._below, np.random.default_rng(seed).random(), side="right"))
        # Rounding may leave the last border a little below 1.
        shape = self.shapes[min(chosen, len(self.shapes) - 1)]
        # mix_seed: the choice has used the seed itself.
        return shape.draw(height, width, mix_seed(seed, 1), index)[0].numpy() > 0

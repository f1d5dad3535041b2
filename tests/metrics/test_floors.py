"""The floor of a Fréchet distance: near what two further samples of the same distribution really get."""

import pytest
import torch

from lit_an.metrics.floors import FEWEST, frechet_floor, intra_floor
from lit_an.metrics.frechet import frechet_distance_of_features


def drawn(count: int, size: int = 64) -> torch.Tensor:
    """Features whose variances fall off, as those of images do."""
    return torch.randn(count, size) / torch.arange(1.0, size + 1).sqrt()


@pytest.mark.parametrize(("generated", "real"), [(40, 40), (200, 40), (30, 200), (400, 600)])
def test_it_is_near_the_distance_of_two_samples(generated: int, real: int) -> None:
    truth = sum(frechet_distance_of_features(drawn(generated), drawn(real)) for _ in range(8)) / 8
    floors = [frechet_floor(drawn(real), generated, real) for _ in range(4)]
    assert sum(floors) / 4 == pytest.approx(truth, rel=0.3)  # type: ignore[arg-type]


def test_it_repeats_itself_and_needs_eight_images() -> None:
    features = drawn(100)
    assert frechet_floor(features, 50, 100) == frechet_floor(features, 50, 100)
    assert frechet_floor(features, 50, 100) != frechet_floor(features, 50, 100, seed=1)
    assert frechet_floor(features[: FEWEST - 1], 50, 7) is None
    assert frechet_floor(torch.ones(20, 4), 20, 20) == 0


def test_that_of_classes_is_the_mean_over_those_with_enough_images() -> None:
    features, label = drawn(64), torch.arange(64) // 30  # 30, 30 and 4 images
    floors = [frechet_floor(features[label == place], 25, 30, seed=place) for place in (0, 1)]
    assert intra_floor(features, label, [25, 25, 25], [30, 30, 4]) == pytest.approx(sum(floors) / 2)  # type: ignore[arg-type]
    assert intra_floor(features, label, [25, 1, 25], [30, 30, 4]) == floors[0]
    assert intra_floor(features[:4], label[:4], [25], [4]) is None

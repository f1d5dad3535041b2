"""Fréchet and kernel distance, Inception score, precision to coverage: against slow oracles and by hand."""

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from lit_an.errors import InputError
from lit_an.metrics.feature_set import add_sums
from lit_an.metrics.frechet import frechet_distance, frechet_distance_of_features, moments_of
from lit_an.metrics.inception import inception_score, score_sums, splits_of
from lit_an.metrics.kernel import kernel_distance, squared_mmd
from lit_an.metrics.manifold import manifold_scores


def two_sets(first: int, second: int, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Correlated features of two different distributions."""
    mixing = torch.randn(size, size)
    return torch.randn(first, size) @ mixing, 1.3 * torch.randn(second, size) @ mixing + 0.4


def frechet_oracle(first: torch.Tensor, second: torch.Tensor) -> float:
    """The textbook's matrix root, by the eigenvalues of a product that is not symmetric."""
    x, y = first.double().numpy(), second.double().numpy()
    a, b = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    root = np.sqrt(np.linalg.eigvals(a @ b).astype(complex)).real.sum()
    return float(((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(a) + np.trace(b) - 2 * root)


@pytest.mark.parametrize(("first", "second"), [(200, 150), (30, 150), (12, 9)])
def test_frechet_distance_is_the_textbooks_with_many_and_with_few_images(first: int, second: int) -> None:
    x, y = two_sets(first, second, 24)
    expected = frechet_oracle(x, y)
    assert frechet_distance(moments_of(x), moments_of(y)) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance_of_features(x, y) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance_of_features(y, x) == pytest.approx(expected, rel=1e-6)


def test_frechet_distance_of_normals_on_a_line_is_the_formula() -> None:
    x = torch.tensor([[0.0], [2.0]])  # mean 1, variance 2
    y = torch.tensor([[1.0], [5.0]])  # mean 3, variance 8
    expected = (1 - 3) ** 2 + (math.sqrt(2) - math.sqrt(8)) ** 2
    assert frechet_distance_of_features(x, y) == pytest.approx(expected)
    assert frechet_distance(moments_of(x), moments_of(y)) == pytest.approx(expected)


def test_a_set_has_no_distance_to_itself() -> None:
    x = two_sets(500, 2, 64)[0]
    assert abs(frechet_distance(moments_of(x), moments_of(x.flip(0)))) < 1e-8 * float(x.var())
    few = x[:20]
    assert abs(frechet_distance(moments_of(few), moments_of(few))) < 1e-6 * float(x.var())


def test_moments_of_parts_add_up_also_far_from_zero() -> None:
    x = torch.randn(100, 8) + 1000
    whole = moments_of(x)
    parts = add_sums(add_sums(moments_of(x[:7]), moments_of(x[7:40])), moments_of(x[40:]))
    torch.testing.assert_close(parts.covariance, torch.cov(x.double().T), rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(parts.covariance, whole.covariance, rtol=1e-6, atol=1e-8)


def mmd_oracle(x: torch.Tensor, y: torch.Tensor) -> float:
    def kernel(a: torch.Tensor, b: torch.Tensor) -> float:
        return float((a.double() @ b.double() / len(a) + 1) ** 3)

    def within(z: torch.Tensor) -> float:
        return sum(kernel(a, b) for a, b in itertools.permutations(z, 2)) / (len(z) * (len(z) - 1))

    across = sum(kernel(a, b) for a in x for b in y) / (len(x) * len(y))
    return within(x) + within(y) - 2 * across


def test_squared_mmd_is_the_loop_over_pairs_in_any_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = two_sets(13, 9, 5)
    expected = mmd_oracle(x, y)
    assert squared_mmd(x, y) == pytest.approx(expected, rel=1e-9)
    monkeypatch.setattr("lit_an.metrics.kernel._ROWS", 4)
    assert squared_mmd(x, y) == pytest.approx(expected, rel=1e-9)


def test_kernel_distance_is_unbiased_and_repeats_itself() -> None:
    values = [squared_mmd(torch.randn(20, 6), torch.randn(20, 6)) for _ in range(300)]
    assert abs(np.mean(values)) < 4 * np.std(values) / math.sqrt(300)
    x, y = two_sets(60, 50, 6)
    first, again = (kernel_distance(x, y, subsets=10, subset_size=20) for _ in range(2))
    assert first == again
    assert first.subset_size == 20
    assert first != kernel_distance(x, y, subsets=10, subset_size=20, seed=1)
    everything = kernel_distance(x[:50], y, subset_size=1000)
    assert everything == (squared_mmd(x[:50], y), 0.0, 50)


def test_kernel_distance_is_torchmetrics() -> None:
    from torchmetrics.image.kid import poly_mmd

    x, y = two_sets(40, 40, 16)
    assert squared_mmd(x, y) == pytest.approx(float(poly_mmd(x.double(), y.double())), rel=1e-9)


def test_inception_score_is_the_formula_in_any_batches() -> None:
    logits = torch.randn(47, 6) * 3
    split = splits_of(47, 4)
    assert split.bincount().tolist() == [11, 12, 12, 12]
    scores = []
    for number in range(4):
        p = logits[split == number].double().softmax(1)
        scores.append(float((p * (p / p.mean(0)).log()).sum(1).mean().exp()))
    parts = [score_sums(logits[i : i + 5], split[i : i + 5], 4) for i in range(0, 47, 5)]
    sums = parts[0]
    for part in parts[1:]:
        sums = add_sums(sums, part)
    mean, deviation = inception_score(sums)
    assert mean == pytest.approx(np.mean(scores), rel=1e-9)
    assert deviation == pytest.approx(np.std(scores), rel=1e-9)


def manifold_oracle(fake: torch.Tensor, real: torch.Tensor) -> tuple[float, float, float, float]:
    def radius(points: torch.Tensor, at: int, k: int) -> float:
        return sorted(float((points[at] - p).norm()) for i, p in enumerate(points) if i != at)[k - 1]

    def inside(x: torch.Tensor, points: torch.Tensor, k: int) -> list[bool]:
        return [float((x - p).norm()) <= radius(points, i, k) for i, p in enumerate(points)]

    precision = sum(any(inside(x, real, 3)) for x in fake) / len(fake)
    recall = sum(any(inside(x, fake, 3)) for x in real) / len(real)
    density = sum(sum(inside(x, real, 5)) for x in fake) / (5 * len(fake))
    held = [inside(x, real, 5) for x in fake]
    coverage = sum(any(row[i] for row in held) for i in range(len(real))) / len(real)
    return precision, recall, density, coverage


def test_precision_to_coverage_are_the_loops_in_any_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    fake, real = torch.randn(31, 3).double() + 0.7, torch.randn(23, 3).double()
    expected = manifold_oracle(fake, real)
    assert 0 < expected[1] < expected[0] < 1
    assert manifold_scores(fake, real) == pytest.approx(expected)
    monkeypatch.setattr("lit_an.metrics.manifold._ROWS", 6)
    assert manifold_scores(fake, real) == pytest.approx(expected)


def test_precision_to_coverage_by_hand_on_a_line() -> None:
    """Generated images crowd in one place and stray once: which side is which shows in every figure.

    Real: 0, 1, …, 9. To the 3rd neighbor it is 3 from 0 and 9, else 2; to the 5th 5, 4, 3, 3, 3, 3, 3, 3, 4, 5.
    Generated: seven at 4.0 to 4.6 in steps of 0.1, one at 20. To the 3rd neighbor it is 0.3 from 4.0 to 4.2 and from
    4.4 to 4.6 at most, and 15.6 from 20, so that its ball holds the real images from 4.4 on: 5 to 9. With 4, within
    the balls of the crowd, these are 6 of 10.
    """
    real = torch.arange(10.0)[:, None].double()
    fake = torch.tensor([4.0, 4.1, 4.2, 4.3, 4.4, 4.5, 4.6, 20.0])[:, None].double()
    scores = manifold_scores(fake, real)
    assert scores.precision == 7 / 8, "all but the one that strays"
    assert scores.recall == 6 / 10
    # Balls around a place from 4.0 to 4.6: those of 1 (0 to 5… radius 4) to 8 (radius 4: from 4 on) and of 0 and 9.
    inside = sum(abs(f - r) <= radius for f in fake.flatten().tolist() for r, radius in enumerate(RADII))
    assert scores.density == pytest.approx(inside / (5 * 8))
    # 9 reaches down to 4.0 and 0 up to 5.0: every ball holds a generated image.
    assert scores.coverage == 1
    swapped = manifold_scores(real, fake)
    assert (swapped.precision, swapped.recall) == (6 / 10, 7 / 8)
    assert swapped.coverage < 1


RADII = (5, 4, 3, 3, 3, 3, 3, 3, 4, 5)


def test_precision_to_coverage_of_one_set_twice_and_of_two_far_apart() -> None:
    points = torch.randn(200, 4)
    same = manifold_scores(points, points)
    assert (same.precision, same.recall, same.coverage) == (1, 1, 1)
    assert manifold_scores(points, points + 100) == (0, 0, 0, 0)
    collapsed = manifold_scores(points[:1] + 1e-3 * torch.randn(200, 4), points)
    assert collapsed.precision == 1
    assert collapsed.recall < 0.05
    assert collapsed.coverage < 0.1


@pytest.mark.parametrize("figure", [frechet_distance_of_features, kernel_distance, squared_mmd, manifold_scores])
def test_too_few_images_and_other_features_are_refused(figure: Callable[..., object]) -> None:
    some = torch.randn(9, 3)
    with pytest.raises(InputError, match=r"needs at least \d images of either side"):
        figure(some[:1], some)
    with pytest.raises(InputError, match=r"takes features \(M, D\) and \(N, D\) of one network"):
        figure(some, torch.randn(9, 4))

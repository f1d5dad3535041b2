"""Latents: functions of their seeds, truncated by drawing again, and the sphere between two of them."""

import itertools
import math

import pytest
import torch

from lit_an.errors import InputError
from lit_an.latents import latents_of, seeded_latent, slerp


def test_truncation_draws_again_what_is_beyond_and_nothing_else() -> None:
    for seed in range(20):
        plain, near = seeded_latent(64, seed), seeded_latent(64, seed, truncation=1.0)
        kept = plain.abs() <= 1.0
        assert torch.equal(near[kept], plain[kept])
        assert bool((near.abs() <= 1.0).all())
        assert not torch.equal(near[~kept], plain[~kept].clamp(-1, 1)), "drawn again, not clamped"


@pytest.mark.parametrize("threshold", [0.0199, 0.3, 1.0, 2.0])
def test_truncated_latents_have_the_moments_of_a_truncated_normal(threshold: float) -> None:
    values = latents_of([0] * 400, range(400), 250, truncation=threshold)  # 10⁵ values
    density = math.exp(-(threshold**2) / 2) / math.sqrt(2 * math.pi)
    variance = 1 - 2 * threshold * density / math.erf(threshold / math.sqrt(2))
    assert float(values.var()) == pytest.approx(variance, rel=0.02)
    assert float(values.mean()) == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize("truncation", [1e-2, 1e-6, 1e-50])
def test_a_truncation_that_keeps_next_to_nothing_draws_at_once(truncation: float) -> None:
    latents = latents_of([0, 1, 1], [5, 5, 5], 1000, truncation)
    assert bool((latents.abs() <= truncation).all())
    assert torch.equal(latents[1], latents[2])
    assert truncation == 1e-50 or len(set(latents[:2].flatten().tolist())) > 1990  # float32 has no 1e-50


def test_a_latent_depends_on_its_class_and_seed_alone() -> None:
    many = latents_of([0, 1, 1, 2], [5, 5, 6, 5], 8, truncation=1.5)
    assert torch.equal(latents_of([1], [6], 8, truncation=1.5)[0], many[2])
    assert len({tuple(row) for row in many.tolist()}) == 4


@pytest.mark.parametrize("truncation", [0.0, -1.0, float("nan")])
def test_a_truncation_out_of_range_is_refused(truncation: float) -> None:
    with pytest.raises(InputError, match="truncation must be greater than 0, got "):
        latents_of([0], [0], 4, truncation)


def test_the_way_on_the_sphere_has_its_ends_and_turns_evenly() -> None:
    start, end = torch.randn(2, 128).double().unbind()
    end = end * start.norm() / end.norm()
    way = slerp(start, end, torch.linspace(0, 1, 9).double())
    torch.testing.assert_close(way[0], start)
    torch.testing.assert_close(way[-1], end)
    torch.testing.assert_close(way.norm(dim=1), start.norm().expand(9))
    angles = torch.stack([torch.dot(a, b) / start.norm() ** 2 for a, b in itertools.pairwise(way)]).acos()
    torch.testing.assert_close(angles, angles[:1].expand(8))


def test_the_way_between_equal_latents_stays() -> None:
    latent = torch.randn(16)
    torch.testing.assert_close(slerp(latent, latent, torch.tensor([0.0, 0.3, 1.0])), latent.expand(3, -1))

"""Losses against their formulas written out, and penalties against finite differences."""

import math

import pytest
import torch
from torch import Tensor

from lit_an.losses import ADVERSARIAL_LOSSES, r1_penalty, wgan_gradient_penalty

REAL, FAKE = [0.3, -2.0, 1.7], [-0.4, 2.5, -3.0]


def softplus(value: float) -> float:
    return math.log1p(math.exp(value))


FORMULAS = {
    "hinge": (
        sum(max(0, 1 - r) for r in REAL) / 3 + sum(max(0, 1 + f) for f in FAKE) / 3,
        -sum(FAKE) / 3,
    ),
    "non_saturating": (
        sum(softplus(-r) for r in REAL) / 3 + sum(softplus(f) for f in FAKE) / 3,
        sum(softplus(-f) for f in FAKE) / 3,
    ),
    "wasserstein": (sum(FAKE) / 3 - sum(REAL) / 3, -sum(FAKE) / 3),
}


def test_every_registered_game_has_a_formula_here() -> None:
    assert sorted(FORMULAS) == ADVERSARIAL_LOSSES.names()


@pytest.mark.parametrize("name", ADVERSARIAL_LOSSES.names())
def test_a_game_is_its_formula(name: str) -> None:
    game = ADVERSARIAL_LOSSES.create(name)
    discriminator, generator = FORMULAS[name]
    assert game.discriminator(torch.tensor(REAL), torch.tensor(FAKE)).item() == pytest.approx(discriminator, rel=1e-5)
    assert game.generator(torch.tensor(FAKE)).item() == pytest.approx(generator, rel=1e-5)


@pytest.mark.parametrize("name", ADVERSARIAL_LOSSES.names())
def test_each_player_wants_the_opposite_of_a_fake(name: str) -> None:
    game = ADVERSARIAL_LOSSES.create(name)
    fake = torch.zeros(4, requires_grad=True)
    (for_discriminator,) = torch.autograd.grad(game.discriminator(torch.zeros(4), fake), fake)
    (for_generator,) = torch.autograd.grad(game.generator(fake), fake)
    assert (for_discriminator > 0).all()
    assert (for_generator < 0).all()


def judge(image: Tensor) -> Tensor:
    return (image.flatten(1) ** 3).sum(1)  # gradient 3 x²


def test_r1_is_half_the_squared_gradient() -> None:
    real = torch.randn(3, 1, 2, 2)
    expected = 0.5 * (3 * real**2).square().sum((1, 2, 3)).mean()
    torch.testing.assert_close(r1_penalty(judge, real), expected)


def test_wgan_penalty_is_taken_between_real_and_fake() -> None:
    real, fake = torch.randn(3, 1, 2, 2), torch.randn(3, 1, 2, 2)
    torch.manual_seed(5)
    penalty = wgan_gradient_penalty(judge, real, fake)
    torch.manual_seed(5)
    between = torch.lerp(real, fake, torch.rand(3, 1, 1, 1))
    expected = ((3 * between**2).flatten(1).norm(dim=1) - 1).square().mean()
    torch.testing.assert_close(penalty, expected)


@pytest.mark.parametrize("penalty", [lambda j, x: r1_penalty(j, x), lambda j, x: wgan_gradient_penalty(j, x, -x)])
def test_penalties_reach_the_weights_in_float32_under_autocast(penalty: object) -> None:
    layer = torch.nn.Conv2d(3, 4, 3)
    types = []

    def judged(image: Tensor) -> Tensor:
        hidden = layer(image)
        types.append(hidden.dtype)
        return hidden.square().flatten(1).sum(1)

    with torch.autocast("cpu", torch.bfloat16):
        value = penalty(judged, torch.randn(2, 3, 5, 5).bfloat16())  # type: ignore[operator]
    value.backward()
    assert types == [torch.float32]
    assert layer.weight.grad is not None
    assert layer.weight.grad.abs().sum() > 0

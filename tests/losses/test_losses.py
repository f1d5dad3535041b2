"""Losses against their formulas written out, and penalties against finite differences."""

import math

import pytest
import torch
from torch import Tensor

from lit_an.losses import ADVERSARIAL_LOSSES, wgan_gradient_penalty, zero_centered_penalty

REAL, FAKE = [0.3, -2.0, 1.1], [-0.4, 2.5, -3.0]  # sums that are not 0, which would hide a sign


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
    "relativistic": (
        sum(softplus(f - r) for r, f in zip(REAL, FAKE, strict=True)) / 3,
        sum(softplus(r - f) for r, f in zip(REAL, FAKE, strict=True)) / 3,
    ),
}


def test_every_registered_game_has_a_formula_here() -> None:
    assert sorted(FORMULAS) == ADVERSARIAL_LOSSES.names()


@pytest.mark.parametrize("name", ADVERSARIAL_LOSSES.names())
def test_a_game_is_its_formula(name: str) -> None:
    game = ADVERSARIAL_LOSSES.create(name)
    discriminator, generator = FORMULAS[name]
    assert game.discriminator(torch.tensor(REAL), torch.tensor(FAKE)).item() == pytest.approx(discriminator, rel=1e-5)
    loss = game.generator_loss(lambda: torch.tensor(REAL), torch.tensor(FAKE))
    assert loss.item() == pytest.approx(generator, rel=1e-5)


@pytest.mark.parametrize("name", ADVERSARIAL_LOSSES.names())
def test_real_images_are_judged_only_where_the_generator_compares(name: str) -> None:
    judged = []
    game = ADVERSARIAL_LOSSES.create(name)
    game.generator_loss(lambda: judged.append(1) or torch.zeros(3), torch.tensor(FAKE))  # type: ignore[func-returns-value]
    assert bool(judged) == game.relativistic == (name == "relativistic")


@pytest.mark.parametrize("name", ADVERSARIAL_LOSSES.names())
def test_each_player_wants_the_opposite_of_a_fake(name: str) -> None:
    game = ADVERSARIAL_LOSSES.create(name)
    fake = torch.zeros(4, requires_grad=True)
    (for_discriminator,) = torch.autograd.grad(game.discriminator(torch.zeros(4), fake), fake)
    (for_generator,) = torch.autograd.grad(game.generator_loss(lambda: torch.zeros(4), fake), fake)
    assert (for_discriminator > 0).all()
    assert (for_generator < 0).all()


def judge(image: Tensor) -> Tensor:
    return (image.flatten(1) ** 3).sum(1)  # gradient 3 x²


def test_the_zero_centered_penalty_is_half_the_squared_gradient() -> None:
    image = torch.randn(3, 1, 2, 2)
    expected = 0.5 * (3 * image**2).square().sum((1, 2, 3)).mean()
    torch.testing.assert_close(zero_centered_penalty(judge, image), expected)


def test_a_penalty_goes_through_attention() -> None:
    """The fast ways to compute attention cannot be differentiated twice."""
    weight = torch.randn(8, requires_grad=True)

    def attentive(image: Tensor) -> Tensor:
        return torch.nn.functional.scaled_dot_product_attention(image * weight, image, image).sum((1, 2, 3))

    zero_centered_penalty(attentive, torch.randn(2, 1, 16, 8)).backward()
    assert weight.grad is not None
    assert weight.grad.abs().sum() > 0


def test_wgan_penalty_is_taken_between_real_and_fake() -> None:
    real, fake = torch.randn(3, 1, 2, 2), torch.randn(3, 1, 2, 2)
    torch.manual_seed(5)
    penalty = wgan_gradient_penalty(judge, real, fake)
    torch.manual_seed(5)
    between = torch.lerp(real, fake, torch.rand(3, 1, 1, 1))
    expected = ((3 * between**2).flatten(1).norm(dim=1) - 1).square().mean()
    torch.testing.assert_close(penalty, expected)


@pytest.mark.parametrize("penalty", [zero_centered_penalty, lambda j, x: wgan_gradient_penalty(j, x, -x)])
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


@pytest.mark.parametrize("name", ADVERSARIAL_LOSSES.names())
def test_a_game_is_a_mean_over_logits_of_any_shape(name: str) -> None:
    """A patch critic gives (B, 1, h, w)."""
    game = ADVERSARIAL_LOSSES.create(name)
    real, fake = torch.randn(3, 1, 4, 2), torch.randn(3, 1, 4, 2)
    torch.testing.assert_close(game.discriminator(real, fake), game.discriminator(real.flatten(), fake.flatten()))
    on_maps = game.generator_loss(lambda: real, fake)
    torch.testing.assert_close(on_maps, game.generator_loss(lambda: real.flatten(), fake.flatten()))

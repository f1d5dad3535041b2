"""The gradient penalty inside the hole, and of critics that give many logits."""

import pytest
import torch
from torch import Tensor

from lit_an.errors import InputError
from lit_an.losses import wgan_gradient_penalty, zero_centered_penalty


def judge(image: Tensor) -> Tensor:
    return (image.flatten(1) ** 3).sum(1)  # gradient 3 x²


def pair() -> tuple[Tensor, Tensor, Tensor]:
    mask = torch.zeros(2, 1, 4, 4)
    mask[0, :, 1:3, 1:3] = 1
    mask[1, :, :, 3] = 1
    return torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4), mask


def penalty_with_seed(*args: Tensor | None) -> Tensor:
    torch.manual_seed(3)
    return wgan_gradient_penalty(judge, *args)  # type: ignore[arg-type]


def test_the_masked_penalty_is_its_formula() -> None:
    real, fake, mask = pair()
    torch.manual_seed(3)
    share = torch.rand(2, 1, 1, 1)
    expected = 0.0
    for b in range(2):
        square = 0.0
        for c in range(3):
            for y in range(4):
                for x in range(4):
                    point = float(real[b, c, y, x] + share[b] * (fake[b, c, y, x] - real[b, c, y, x]))
                    square += (3 * point**2) ** 2 * float(mask[b, 0, y, x])
        expected += (square**0.5 - 1) ** 2 / 2
    assert penalty_with_seed(real, fake, mask).item() == pytest.approx(expected, rel=1e-5)


def test_only_what_is_in_the_hole_is_penalized() -> None:
    real, fake, mask = pair()
    before = penalty_with_seed(real, fake, mask)
    known, hole = (real + (1 - mask), fake + (1 - mask)), (real + mask, fake + mask)
    assert penalty_with_seed(*known, mask).item() == before.item()
    assert penalty_with_seed(*hole, mask).item() != before.item()


def test_no_mask_is_a_mask_of_holes() -> None:
    real, fake, mask = pair()
    assert penalty_with_seed(real, fake).item() == penalty_with_seed(real, fake, torch.ones_like(mask)).item()


def test_the_masked_penalty_reaches_the_weights() -> None:
    layer = torch.nn.Conv2d(3, 4, 3)
    real, fake, mask = pair()
    wgan_gradient_penalty(lambda x: layer(x).square().flatten(1).sum(1), real, fake, mask).backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.abs().sum() > 0


def test_a_gradient_of_nothing_stays_finite() -> None:
    """A local critic may look elsewhere than into the hole; the slope of a norm at 0 is none."""
    layer = torch.nn.Conv2d(3, 4, 3)
    real, fake, mask = pair()
    wgan_gradient_penalty(lambda x: layer(x).square().flatten(1).sum(1), real, fake, torch.zeros_like(mask)).backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.isfinite().all()


@pytest.mark.parametrize(
    "penalty", [lambda j, x: zero_centered_penalty(j, x), lambda j, x: wgan_gradient_penalty(j, x, x)]
)
def test_many_logits_of_an_image_count_as_their_mean(penalty: object) -> None:
    image = torch.randn(2, 3, 8, 8)
    patches = torch.nn.Conv2d(3, 1, 3)
    many = penalty(lambda x: patches(x).square(), image)  # type: ignore[operator]
    one = penalty(lambda x: patches(x).square().mean((1, 2, 3)), image)  # type: ignore[operator]
    torch.testing.assert_close(many, one)


def test_a_mask_of_another_shape_is_refused() -> None:
    real, fake, mask = pair()
    with pytest.raises(InputError, match=r"must be \(B, 1, H, W\) of the images \(2, 3, 4, 4\), got \(2, 4, 4\)"):
        wgan_gradient_penalty(judge, real, fake, mask[:, 0])


def test_fakes_of_another_number_are_refused() -> None:
    with pytest.raises(InputError, match="needs a fake image for each real one"):
        wgan_gradient_penalty(lambda x: x.sum((1, 2, 3)), torch.zeros(4, 3, 8, 8), torch.zeros(1, 3, 8, 8))

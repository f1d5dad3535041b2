"""The mode seeking loss: its formula as a loop, and batches without pairs."""

import pytest
import torch
from torch import Tensor

from lit_an.errors import InputError
from lit_an.losses import mode_seeking_loss


def batch(*labels: int) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(5)
    return torch.randn(len(labels), 3, 4, 4).requires_grad_(), torch.randn(len(labels), 6), torch.tensor(labels)


def test_it_is_its_formula() -> None:
    image, latent, label = batch(2, 0, 2, 1, 2, 0)
    between_images = between_latents = 0.0
    for one, other in ((0, 2), (2, 4), (1, 5)):  # each with the next of its class
        between_images += float((image[one] - image[other]).abs().mean())
        between_latents += float((latent[one] - latent[other]).abs().mean())
    assert float(mode_seeking_loss(image, latent, label)) == pytest.approx(between_latents / between_images, rel=1e-4)


def test_a_step_along_it_drives_images_of_a_class_apart() -> None:
    image, latent, label = batch(1, 1, 0)
    loss = mode_seeking_loss(image, latent, label)
    (gradient,) = torch.autograd.grad(loss, image)
    assert not gradient[2].any()
    moved = image - 0.1 * gradient / gradient.norm()
    assert (moved[0] - moved[1]).abs().mean() > (image[0] - image[1]).abs().mean()
    assert mode_seeking_loss(moved, latent, label) < loss


@pytest.mark.parametrize("labels", [(0,), (0, 1, 2)], ids=["one image", "all of other classes"])
def test_without_pairs_it_is_0(labels: tuple[int, ...]) -> None:
    image, latent, label = batch(*labels)
    loss = mode_seeking_loss(image, latent, label)
    (gradient,) = torch.autograd.grad(loss, image)
    assert loss == 0
    assert not gradient.any()


def test_equal_images_have_a_large_finite_loss() -> None:
    _, latent, label = batch(3, 3)
    loss = mode_seeking_loss(torch.zeros(2, 3, 4, 4), latent, label)
    assert 1e4 < float(loss) < float("inf")
    half = mode_seeking_loss(torch.zeros(2, 3, 4, 4, dtype=torch.bfloat16), latent.bfloat16(), label)
    assert half.dtype == torch.float32


def test_labels_and_latents_of_other_shapes_are_refused() -> None:
    image, latent, label = batch(2, 0, 2)
    for wrong in ((latent, label[:, None]), (latent, label[:2]), (latent[:2], label)):
        with pytest.raises(InputError, match=r"takes latents \(3, L\) and labels \(3,\) of 3 images"):
            mode_seeking_loss(image, *wrong)

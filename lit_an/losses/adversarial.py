"""Adversarial losses: pure functions of logits, each a mean over the batch, smaller is better for the named player."""

from collections.abc import Callable
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor

from lit_an.registry import Registry


class AdversarialLoss(NamedTuple):
    """The two sides of one game.

    Attributes:
        discriminator: (real_logits, fake_logits) to a scalar.
        generator: fake_logits to a scalar.
    """

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor], Tensor]


ADVERSARIAL_LOSSES: Registry[AdversarialLoss] = Registry("adversarial loss")


def hinge_discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """E max(0, 1 − D(real)) + E max(0, 1 + D(fake)); ≥ 0.

    Args:
        real_logits, fake_logits: any shape; larger is more real.

    Source: Lim, Ye, "Geometric GAN", arXiv 1705.02894.

    Example:
        >>> import torch
        >>> float(hinge_discriminator_loss(torch.tensor([2.0]), torch.tensor([0.5])))
        1.5
    """
    return F.relu(1 - real_logits).mean() + F.relu(1 + fake_logits).mean()


def hinge_generator_loss(fake_logits: Tensor) -> Tensor:
    """−E D(fake); the generator's side of hinge and Wasserstein games.

    Args:
        fake_logits: any shape; larger is more real.
    """
    return -fake_logits.mean()


def non_saturating_discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """E softplus(−D(real)) + E softplus(D(fake)); ≥ 0, the cross-entropy of telling real from fake.

    Args:
        real_logits, fake_logits: any shape; larger is more real.

    Source: Goodfellow et al., "Generative adversarial nets", NeurIPS 2014.
    """
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


def non_saturating_generator_loss(fake_logits: Tensor) -> Tensor:
    """E softplus(−D(fake)); ≥ 0.

    Args:
        fake_logits: any shape; larger is more real.

    Source: Goodfellow et al., "Generative adversarial nets", NeurIPS 2014, section 3.
    """
    return F.softplus(-fake_logits).mean()


def wasserstein_discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """E D(fake) − E D(real): minus the estimate of the Wasserstein distance; needs a Lipschitz discriminator.

    Args:
        real_logits, fake_logits: any shape; larger is more real.

    Source: Arjovsky, Chintala, Bottou, "Wasserstein GAN", arXiv 1701.07875.
    """
    return fake_logits.mean() - real_logits.mean()


@ADVERSARIAL_LOSSES.register("hinge")
def hinge() -> AdversarialLoss:
    """The paper's choice, after SNGAN and SAGAN."""
    return AdversarialLoss(hinge_discriminator_loss, hinge_generator_loss)


@ADVERSARIAL_LOSSES.register("non_saturating")
def non_saturating() -> AdversarialLoss:
    """The original game."""
    return AdversarialLoss(non_saturating_discriminator_loss, non_saturating_generator_loss)


@ADVERSARIAL_LOSSES.register("wasserstein")
def wasserstein() -> AdversarialLoss:
    """The critic's game; add ``gradient_penalty_weight``."""
    return AdversarialLoss(wasserstein_discriminator_loss, hinge_generator_loss)

"""Adversarial losses: pure functions of logits, each a mean over the batch, smaller is better for the named player.

In most games the generator's side looks at fakes alone; in a relativistic one it looks at pairs of real and fake.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor

from lit_an.registry import Registry


class AdversarialLoss(NamedTuple):
    """The two sides of one game.

    Attributes:
        discriminator: (real_logits, fake_logits) to a scalar.
        generator: fake_logits to a scalar; in a relativistic game (real_logits, fake_logits) to a scalar.
        relativistic: the generator's side needs the real logits, too.
    """

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[..., Tensor]
    relativistic: bool = False

    def generator_loss(self, judge_real: Callable[[], Tensor], fake_logits: Tensor) -> Tensor:
        """The generator's side of any game; real images are judged only where it needs them.

        Args:
            judge_real: gives real_logits, of the shape of ``fake_logits``.
            fake_logits: any shape; larger is more real.
        """
        return self.generator(judge_real(), fake_logits) if self.relativistic else self.generator(fake_logits)


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


def relativistic_discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """E softplus(−(D(real) − D(fake))) over pairs; ≥ 0: how much more real a real image looks than a fake one.

    Args:
        real_logits, fake_logits: the same shape, pair by pair; larger is more real.

    Source: Jolicoeur-Martineau, "The relativistic discriminator", ICLR 2019 (RpGAN); with R1 and R2 it converges
    locally: Huang et al., "The GAN is dead; long live the GAN!", NeurIPS 2024 (arXiv 2501.05441), section 2.

    Example:
        >>> import torch
        >>> round(float(relativistic_discriminator_loss(torch.tensor([2.0]), torch.tensor([2.0]))), 4)  # ln 2
        0.6931
    """
    return F.softplus(fake_logits - real_logits).mean()


def relativistic_generator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """E softplus(−(D(fake) − D(real))) over pairs; ≥ 0.

    Args:
        real_logits, fake_logits: the same shape, pair by pair; larger is more real.

    Source: as ``relativistic_discriminator_loss``.
    """
    return F.softplus(real_logits - fake_logits).mean()


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


@ADVERSARIAL_LOSSES.register("relativistic")
def relativistic() -> AdversarialLoss:
    """R3GAN's game; add ``r1_weight`` and ``r2_weight``, without which it need not converge."""
    return AdversarialLoss(relativistic_discriminator_loss, relativistic_generator_loss, relativistic=True)

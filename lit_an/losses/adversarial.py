"""Adversarial losses: pure functions of logits; smaller is better for the named network.

E is the mean over all logits. Most generator losses depend on fakes alone; relativistic ones on pairs of real and fake.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor

from lit_an.registry import Registry


class AdversarialLoss(NamedTuple):
    """The losses of both networks.

    Attributes:
        discriminator: (real_logits, fake_logits) to a scalar.
        generator: fake_logits to a scalar; in a relativistic loss (real_logits, fake_logits) to a scalar.
        relativistic: whether the generator's loss needs the real logits too.
    """

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[..., Tensor]
    relativistic: bool = False

    def generator_loss(self, judge_real: Callable[[], Tensor], fake_logits: Tensor) -> Tensor:
        """The generator's loss; the discriminator runs on real images only if the loss needs them.

        Args:
            judge_real: returns real_logits, of the shape of ``fake_logits``.
            fake_logits: any shape; larger is more real.
        """
        return self.generator(judge_real(), fake_logits) if self.relativistic else self.generator(fake_logits)


ADVERSARIAL_LOSSES: Registry[AdversarialLoss] = Registry("adversarial loss")


def hinge_discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """E max(0, 1 − D(real)) + E max(0, 1 + D(fake)); ≥ 0.

    Reduction: mean over all logits.

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
    """−E D(fake), for hinge and Wasserstein losses.

    Reduction: mean over all logits.

    Args:
        fake_logits: any shape; larger is more real.
    """
    return -fake_logits.mean()


def non_saturating_discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """E softplus(−D(real)) + E softplus(D(fake)); ≥ 0, the binary cross-entropy of real and fake.

    Reduction: mean over all logits.

    Args:
        real_logits, fake_logits: any shape; larger is more real.

    Source: Goodfellow et al., "Generative adversarial nets", NeurIPS 2014.
    """
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


def non_saturating_generator_loss(fake_logits: Tensor) -> Tensor:
    """E softplus(−D(fake)); ≥ 0.

    Reduction: mean over all logits.

    Args:
        fake_logits: any shape; larger is more real.

    Source: Goodfellow et al., "Generative adversarial nets", NeurIPS 2014, section 3.
    """
    return F.softplus(-fake_logits).mean()


def wasserstein_discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """E D(fake) − E D(real): minus the estimate of the Wasserstein distance; needs a Lipschitz discriminator.

    Reduction: mean over all logits.

    Args:
        real_logits, fake_logits: any shape; larger is more real.

    Source: Arjovsky, Chintala, Bottou, "Wasserstein GAN", arXiv 1701.07875.
    """
    return fake_logits.mean() - real_logits.mean()


def relativistic_discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """E softplus(−(D(real) − D(fake))) over pairs; ≥ 0: smaller if real images get larger logits than fakes.

    Reduction: mean over all logits.

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

    Reduction: mean over all logits.

    Args:
        real_logits, fake_logits: the same shape, pair by pair; larger is more real.

    Source: as ``relativistic_discriminator_loss``.
    """
    return F.softplus(real_logits - fake_logits).mean()


@ADVERSARIAL_LOSSES.register("hinge")
def hinge() -> AdversarialLoss:
    """The hinge loss of the AN paper, SNGAN and SAGAN."""
    return AdversarialLoss(hinge_discriminator_loss, hinge_generator_loss)


@ADVERSARIAL_LOSSES.register("non_saturating")
def non_saturating() -> AdversarialLoss:
    """The non-saturating loss of the original GAN."""
    return AdversarialLoss(non_saturating_discriminator_loss, non_saturating_generator_loss)


@ADVERSARIAL_LOSSES.register("wasserstein")
def wasserstein() -> AdversarialLoss:
    """The WGAN loss; use it with ``gradient_penalty_weight``."""
    return AdversarialLoss(wasserstein_discriminator_loss, hinge_generator_loss)


@ADVERSARIAL_LOSSES.register("relativistic")
def relativistic() -> AdversarialLoss:
    """R3GAN's loss; use it with ``r1_weight`` and ``r2_weight``, without which it may not converge."""
    return AdversarialLoss(relativistic_discriminator_loss, relativistic_generator_loss, relativistic=True)

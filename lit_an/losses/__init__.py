"""Losses: pure functions of tensors that say their reduction and which way is better.

How to add one: a new file here with the function and its import below; an adversarial game registers with
``@ADVERSARIAL_LOSSES.register("name")``. Its test is an oracle: the formula once more, written as a loop.
"""

from lit_an.losses.adversarial import ADVERSARIAL_LOSSES, AdversarialLoss
from lit_an.losses.gradient_penalty import wgan_gradient_penalty, zero_centered_penalty

__all__ = ["ADVERSARIAL_LOSSES", "AdversarialLoss", "wgan_gradient_penalty", "zero_centered_penalty"]

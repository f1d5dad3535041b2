"""Losses: pure functions of tensors that say their reduction and which way is better.

How to add one: a new file here with the function and its import below; an adversarial loss registers with
``@ADVERSARIAL_LOSSES.register("name")``. Its test is an oracle: the formula once more, written as a loop.
"""

from lit_an.losses.adversarial import ADVERSARIAL_LOSSES, AdversarialLoss
from lit_an.losses.backbone_features import BackboneFeatures
from lit_an.losses.features import VGG19Features
from lit_an.losses.gradient_penalty import wgan_gradient_penalty, zero_centered_penalty
from lit_an.losses.id_mrf import ID_MRF_WEIGHTS, id_mrf_loss, id_mrf_of_maps
from lit_an.losses.mode_seeking import mode_seeking_loss
from lit_an.losses.perceptual import feature_matching_loss, perceptual_loss, style_loss
from lit_an.losses.reconstruction import confidence_map, context_l1, hole_l1

__all__ = [
    "ADVERSARIAL_LOSSES",
    "ID_MRF_WEIGHTS",
    "AdversarialLoss",
    "BackboneFeatures",
    "VGG19Features",
    "confidence_map",
    "context_l1",
    "feature_matching_loss",
    "hole_l1",
    "id_mrf_loss",
    "id_mrf_of_maps",
    "mode_seeking_loss",
    "perceptual_loss",
    "style_loss",
    "wgan_gradient_penalty",
    "zero_centered_penalty",
]

"""A backbone's maps for losses: which they are, and who gets their gradients."""

import copy

import pytest
import torch

from lit_an.backbones import create_backbone
from lit_an.errors import InputError
from lit_an.losses import BackboneFeatures, perceptual_loss


def test_the_maps_are_the_backbones_up_to_stride_16() -> None:
    image = torch.rand(2, 3, 64, 64) * 2 - 1
    seen, expected = BackboneFeatures("efficientnet_lite0").load()(image), create_backbone("efficientnet_lite0")(image)
    assert list(seen) == list(BackboneFeatures.layers)
    for name, one in zip(seen, expected, strict=False):
        assert torch.equal(seen[name], one)
        assert name == f"stride{64 // one.shape[-1]}"


def test_gradients_reach_the_image_and_a_copy_carries_no_weights() -> None:
    features, image = BackboneFeatures("efficientnet_lite0").load(), torch.zeros(1, 3, 64, 64, requires_grad=True)
    perceptual_loss(features(image), features(torch.rand(1, 3, 64, 64))).backward()
    assert image.grad is not None
    assert image.grad.abs().amax() > 0
    assert copy.deepcopy(features)._backbone._network is None


def test_an_unknown_backbone_is_one_sentence() -> None:
    with pytest.raises(InputError, match="unknown backbone 'efficientnet', did you mean"):
        BackboneFeatures("efficientnet")

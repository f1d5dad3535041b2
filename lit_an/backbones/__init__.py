"""Frozen networks, trained on other images, whose feature maps a discriminator or a loss looks at.

How to add one: a subclass of ``Backbone`` under ``@BACKBONES.register("name")`` that says which maps it has and how to
read its weights; its module is imported below.
"""

from lit_an.backbones.base import BACKBONES, Backbone, create_backbone
from lit_an.backbones.efficientnet_lite import EfficientNetLite0, EfficientNetLite1
from lit_an.backbones.torchvision_network import TorchvisionNetwork

__all__ = [
    "BACKBONES",
    "Backbone",
    "EfficientNetLite0",
    "EfficientNetLite1",
    "TorchvisionNetwork",
    "create_backbone",
]

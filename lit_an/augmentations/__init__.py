"""Differentiable augmentations of the discriminator's input, for small data sets; different for each image.

How to add one: a new file here with a subclass of ``Augmentation`` decorated with ``@AUGMENTATIONS.register("name")``,
and its import below. It draws from torch's global generator, which a task seeds at every iteration, on the device of
the images, and does not synchronize with that device. ``state()`` returns what it adapts during training.
"""

from lit_an.augmentations.adaptive import AdaptiveAugmentation
from lit_an.augmentations.base import AUGMENTATIONS, Augmentation
from lit_an.augmentations.diff_augment import DiffAugment

__all__ = ["AUGMENTATIONS", "AdaptiveAugmentation", "Augmentation", "DiffAugment"]

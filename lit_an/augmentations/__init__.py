"""Augmentations of what a discriminator sees, for small data sets: differentiable, different for each image.

How to add one: a new file here with a subclass of ``Augmentation`` decorated with ``@AUGMENTATIONS.register("name")``,
and its import below. It draws from torch's global generator, which a task seeds at every iteration, on the device of
the images, and never waits for that device. What it learns while training is in ``state()``.
"""

from lit_an.augmentations.adaptive import AdaptiveAugmentation
from lit_an.augmentations.base import AUGMENTATIONS, Augmentation
from lit_an.augmentations.diff_augment import DiffAugment

__all__ = ["AUGMENTATIONS", "AdaptiveAugmentation", "Augmentation", "DiffAugment"]

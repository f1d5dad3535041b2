"""Tasks: Lightning modules that define a training step; networks and data are passed to them.

How to add one: a new file here with a subclass of ``AdversarialTask`` that computes the terms of either side, its
import below, and a config that names it.
"""

from lit_an.tasks.adversarial import AdversarialTask
from lit_an.tasks.class_conditional import ClassConditionalGAN
from lit_an.tasks.filling_losses import FillingWeights
from lit_an.tasks.inpainting import InpaintingGAN
from lit_an.tasks.preview import Preview
from lit_an.tasks.schedules import LinearDecay

__all__ = ["AdversarialTask", "ClassConditionalGAN", "FillingWeights", "InpaintingGAN", "LinearDecay", "Preview"]

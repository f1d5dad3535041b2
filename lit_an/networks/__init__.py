"""Networks: pure ``nn.Module``s that a config names and a task receives.

How to add one: a new file here with the class, its import below, and a config that names it. A class-conditional
generator has ``image_size``, ``num_classes``, ``latent_dim`` and ``forward(latent, label) -> image``; a discriminator
has ``forward(image, label) -> logits``.
"""

from lit_an.networks.projection_discriminator import ProjectionDiscriminator
from lit_an.networks.resnet_generator import ResNetGenerator

__all__ = ["ProjectionDiscriminator", "ResNetGenerator"]

"""Networks: pure ``nn.Module``s that a config names and a task receives.

How to add one: a new file here with the class, its import below, and a config that names it. A class-conditional
generator has ``image_size``, ``num_classes``, ``latent_dim`` and ``forward(latent, label) -> image``; a discriminator
has ``forward(image, label) -> logits``. An inpainting generator erases the hole by itself and has ``multiple`` and
``forward(image, mask) -> Inpainted`` for any size of image; its discriminator has ``critics``, each with
``forward(image, mask) -> CriticOutput``, and ``forward(image, mask)``, the tuple of their outputs.
"""

from lit_an.networks.coarse_to_fine_generator import CoarseToFineGenerator
from lit_an.networks.feature_discriminator import FeatureDiscriminator
from lit_an.networks.inpainting_critics import GlobalAndLocalCritics, SNPatchDiscriminator
from lit_an.networks.projection_discriminator import ProjectionDiscriminator
from lit_an.networks.resnet_generator import ResNetGenerator

__all__ = [
    "CoarseToFineGenerator",
    "FeatureDiscriminator",
    "GlobalAndLocalCritics",
    "ProjectionDiscriminator",
    "ResNetGenerator",
    "SNPatchDiscriminator",
]

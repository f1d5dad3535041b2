"""A discriminator on the feature maps of a frozen network: it learns small heads, and knows what images are made of."""

from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lit_an.backbones.base import create_backbone
from lit_an.errors import InputError, at_least
from lit_an.networks.blocks import labels_of
from lit_an.networks.initialization import LayerFactory
from lit_an.networks.projection_discriminator import ProjectionDiscriminator

SMALLEST_MAP = 4
SLOPE = 0.2


class FeatureDiscriminator(nn.Module):
    """Maps an image and its class to logits of places in feature maps of a frozen network.

    The maps, at strides 4 (or 2, see ``backbone_kwargs``) to 32, are mixed by fixed random convolutions: 1×1 ones
    across channels, then from the coarsest map to the finest a sum with the map below, enlarged, and a 3×3 one. A head
    looks at each mixed map: convolutions of stride 2 down to 4×4, then one logit for each place,
    φ·w + scale · φ·embedding(class). The frozen network's weights are in no checkpoint; those of the mixing are.

    Args:
        image_size: side of the images, in pixels.
        num_classes: classes, ≥ 1.
        backbone: a registered backbone: ``efficientnet_lite0``, ``efficientnet_lite1`` or ``torchvision``.
        backbone_kwargs: its arguments; ``finest: 2`` adds a map of details, for images that are not enlarged.
        input_size: side that images are resized to for the backbone, a multiple of 32; None takes the next
            multiple of 32 from twice ``image_size`` up to 256.
        width: channels of the finest mixed map; those of the others are 2, 4, … times as many.
        head_width: channels of the heads, ≥ 1.
        mixing: mix across ``channels`` and maps (``both``), across channels alone (``channels``), or not (``none``).
        projection_scale: factor of the class's part of a logit, ≥ 0.
        pixel_width: base width of a ``ProjectionDiscriminator`` of the image itself, whose logit stands for 16 more;
            0 for none. It sees colors and layout, to which a network trained for classification is blind.

    Attributes:
        backbone_name: as registered; figures of the same features would be too good.

    Raises:
        InputError: an argument out of range, or an unknown backbone; at first use, what its ``load`` raises.

    Source: Sauer et al., "Projected GANs converge faster", NeurIPS 2021 (arXiv 2111.01007).
    Differs: the heads have no batch norm, so that a logit depends on its image alone; they end at 4×4 maps whose places
        count alike; the class enters as in the projection discriminator; a discriminator of pixels may stand beside.

    Example:
        >>> discriminator = FeatureDiscriminator(32, num_classes=3, width=8, head_width=8)
        >>> discriminator(torch.zeros(2, 3, 32, 32), torch.tensor([0, 2])).shape
        torch.Size([2, 52])
    """

    def __init__(
        self,
        image_size: int,
        num_classes: int,
        *,
        backbone: str = "efficientnet_lite0",
        backbone_kwargs: dict[str, Any] | None = None,
        input_size: int | None = None,
        width: int = 32,
        head_width: int = 64,
        mixing: str = "both",
        projection_scale: float = 1.0,
        pixel_width: int = 0,
    ) -> None:
        super().__init__()
        name = "FeatureDiscriminator"
        at_least(name, 1, image_size=image_size, num_classes=num_classes, width=width, head_width=head_width)
        at_least(name, 0, projection_scale=projection_scale, pixel_width=pixel_width)
        self.input_size = min(256, -(-2 * image_size // 32) * 32) if input_size is None else input_size
        if self.input_size < 32 or self.input_size % 32:
            raise InputError(f"{name}: input_size must be a multiple of 32, got {self.input_size}")
        if mixing not in ("both", "channels", "none"):
            raise InputError(f"{name}: mixing must be 'both', 'channels' or 'none', got {mixing!r}")
        self.image_size, self.num_classes = image_size, num_classes
        self.backbone_name = backbone
        self.backbone = create_backbone(backbone, **(backbone_kwargs or {}))
        self.mixing = _Mixing(self.backbone.channels, width, mixing)
        layers = LayerFactory("orthogonal", spectral_norm=True)
        sides = [self.input_size // stride for stride in self.backbone.strides]
        self.heads = nn.ModuleList(
            _Head(channels, head_width, side, num_classes, projection_scale, layers)
            for channels, side in zip(self.mixing.channels, sides, strict=True)
        )
        self.of_pixels = (
            ProjectionDiscriminator(image_size, num_classes, base_width=pixel_width) if pixel_width else None
        )

    def load_backbone(self) -> None:
        """Reads the frozen network's weights if they have not been read; a task calls this before training.

        Raises:
            InputError: a package is missing, or the weights are not found, cannot be downloaded or do not fit.
        """
        self.backbone.load()

    def forward(self, image: Tensor, label: Tensor) -> Tensor:
        """Computes the logits of images.

        Args:
            image: (B, 3, image_size, image_size), in [-1, 1].
            label: (B,), whole numbers, 0 ≤ label < num_classes.

        Returns:
            logits: (B, K), one for each place of each head; larger is more real.

        Raises:
            InputError: shapes or types other than these.
        """
        side = self.image_size
        label = labels_of("FeatureDiscriminator", "images", image, (3, side, side), label)
        size = (self.input_size, self.input_size)
        enlarged = F.interpolate(image, size, mode="bilinear", align_corners=False)
        maps = self.mixing(self.backbone(enlarged))
        logits = [head(x, label) for head, x in zip(self.heads, maps, strict=True)]
        if self.of_pixels is not None:
            # In a mean over all logits it counts as much as a head of 4×4 places.
            logits.append(self.of_pixels(image, label).unsqueeze(1).expand(-1, SMALLEST_MAP**2))
        return torch.cat(logits, 1)


class _Mixing(nn.Module):
    """Fixed random convolutions across channels and maps."""

    def __init__(self, channels: tuple[int, ...], width: int, mixing: str) -> None:
        super().__init__()
        widths = [width * 2**index for index in range(len(channels))]
        self.channels = list(channels) if mixing == "none" else widths
        self.across = nn.ModuleList()
        self.down = nn.ModuleList()
        if mixing != "none":
            self.across.extend(nn.Conv2d(*pair, 1, bias=False) for pair in zip(channels, widths, strict=True))
        if mixing == "both":
            self.down.extend(nn.Conv2d(wide, few, 3, padding=1, bias=False) for few, wide in pairwise(widths))
        for parameter in self.parameters():
            nn.init.kaiming_normal_(parameter, nonlinearity="linear")
        self.requires_grad_(False)

    def forward(self, maps: tuple[Tensor, ...]) -> list[Tensor]:
        mixed = [mix(x) for mix, x in zip(self.across, maps, strict=True)] if self.across else list(maps)
        for index in reversed(range(len(self.down))):
            # The 3×3 convolution before the enlargement rather than after it, at a quarter of the cost.
            below = F.interpolate(self.down[index](mixed[index + 1]), scale_factor=2.0, mode="bilinear")
            mixed[index] = (mixed[index] + below) * 0.5**0.5
        return mixed


class _Head(nn.Module):
    """Convolutions of stride 2 down to 4×4, and a logit for each place."""

    def __init__(
        self, channels: int, width: int, side: int, num_classes: int, scale: float, layers: LayerFactory
    ) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList()
        while side > SMALLEST_MAP:
            self.convolutions.append(layers.conv(channels, width, 3, stride=2))
            channels, side = width, side // 2
        self.convolutions.append(layers.conv(channels, width, 3 if side > 2 else 1))
        self.to_logit = layers.conv(width, 1, 1)
        self.class_embedding = layers.embedding(num_classes, width)
        self.scale = scale

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        for convolution in self.convolutions:
            x = F.leaky_relu(convolution(x), SLOPE)
        projection = torch.einsum("bchw,bc->bhw", x, self.class_embedding(label))
        return (self.to_logit(x).squeeze(1) + self.scale * projection).flatten(1)

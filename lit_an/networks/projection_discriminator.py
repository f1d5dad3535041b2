"""Residual projection discriminator for 32, 64, 128 and 256 px, with a slot for a long-range layer."""

from itertools import pairwise
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from lit_an.errors import InputError
from lit_an.networks.blocks import (
    LARGEST_MULTIPLE,
    SMALLEST_MAP,
    DiscriminatorBlock,
    check_image_size,
    check_long_range_resolution,
    labels_of,
)
from lit_an.networks.initialization import Initialization, LayerFactory
from lit_an.networks.slots import LongRangeForm, Scalar, norm_behind, resolve_long_range

HiddenWidth = Literal["output", "input"]


class ProjectionDiscriminator(nn.Module):
    """Maps an image and its class to one logit: φ(x)·w + φ(x)·embedding(class), φ summed over the last map.

    Each block halves the map down to 4×4; a last block keeps it. A map of side r has
    ``base_width · min(16, image_size / 2r)`` channels.

    Args:
        image_size: 32, 64, 128 or 256.
        num_classes: classes, ≥ 1.
        base_width: channels of the first feature map; 64 in the paper.
        long_range: the layer after the block that ends at ``long_range_resolution``, any registered norm that needs
            no condition, or ``none``.
        long_range_resolution: side of the map it works on: 4, 8, … up to ``image_size / 2``.
        long_range_kwargs: its arguments.
        long_range_form: ``residual``, x + ρ · norm(W_v x), or ``plain``, for norms that do not add to x by themselves.
        initialization: ``orthogonal`` or ``xavier``.
        spectral_norm: divide the weights by their largest singular value.
        hidden_width: channels between the two convolutions of a block that halves a feature map: those of its
            ``output`` (SAGAN, BigGAN) or of its ``input`` (SNGAN-projection); the first block always has its output's.
        residual_gain: factor of the initial weights of the blocks' 3×3 convolutions, > 0; √2 in SNGAN-projection.

    Raises:
        InputError: an argument out of range, or an unknown norm.

    Source: Miyato, Koyama, "cGANs with projection discriminator", ICLR 2018 (arXiv 1802.05637), and the authors' code;
    the wide blocks: the code of SAGAN (Zhang et al., arXiv 1805.08318).

    Example:
        >>> import torch
        >>> discriminator = ProjectionDiscriminator(32, num_classes=3, base_width=4)
        >>> discriminator(torch.randn(2, 3, 32, 32), torch.tensor([0, 2])).shape
        torch.Size([2])
    """

    def __init__(
        self,
        image_size: int,
        num_classes: int,
        *,
        base_width: int = 64,
        long_range: str = "none",
        long_range_resolution: int = 32,
        long_range_kwargs: dict[str, Scalar] | None = None,
        long_range_form: LongRangeForm = "residual",
        initialization: Initialization = "xavier",
        spectral_norm: bool = True,
        hidden_width: HiddenWidth = "output",
        residual_gain: float = 1.0,
    ) -> None:
        super().__init__()
        check_image_size("ProjectionDiscriminator", image_size)
        sides = [image_size // 2]
        while sides[-1] > SMALLEST_MAP:
            sides.append(sides[-1] // 2)
        check_long_range_resolution("ProjectionDiscriminator", long_range, long_range_resolution, sides)
        for name, value in (("num_classes", num_classes), ("base_width", base_width)):
            if value < 1:
                raise InputError(f"ProjectionDiscriminator: {name} must be at least 1, got {value}")
        if hidden_width not in ("output", "input"):
            raise InputError(f"ProjectionDiscriminator: hidden_width must be 'output' or 'input', got {hidden_width!r}")
        self.image_size, self.num_classes = image_size, num_classes

        layers = LayerFactory(initialization, spectral_norm=spectral_norm, residual_gain=residual_gain)
        make_long_range = resolve_long_range(long_range, long_range_kwargs, form=long_range_form)
        widths = [base_width * min(LARGEST_MULTIPLE, image_size // (2 * side)) for side in sides]
        self.long_range_index = sides.index(long_range_resolution) if make_long_range is not None else -1
        layers_of = [layers] * len(sides)
        layers_of[self.long_range_index] = layers.around(norm_behind(long_range, long_range_form))
        first = DiscriminatorBlock(3, widths[0], layers_of[0], first=True)
        halving = (
            DiscriminatorBlock(fewer, more, own, hidden_features=fewer if hidden_width == "input" else more)
            for (fewer, more), own in zip(pairwise(widths), layers_of[1:], strict=True)
        )
        last = DiscriminatorBlock(widths[-1], widths[-1], layers, downsample=False)
        self.blocks = nn.ModuleList([first, *halving, last])
        self.long_range = make_long_range(widths[self.long_range_index]) if make_long_range is not None else None
        self.to_logit = layers.linear(widths[-1], 1)
        self.class_embedding = layers.embedding(num_classes, widths[-1])

    def forward(self, image: Tensor, label: Tensor) -> Tensor:
        """Computes the logits of images.

        Args:
            image: (B, 3, image_size, image_size), in [-1, 1].
            label: (B,), whole numbers, 0 ≤ label < num_classes.

        Returns:
            logits: (B,), larger is more real.

        Raises:
            InputError: shapes or types other than these.
        """
        side = self.image_size
        label = labels_of("ProjectionDiscriminator", "images", image, (3, side, side), label)
        x = image
        for index, block in enumerate(self.blocks):
            x = block(x)
            if self.long_range is not None and index == self.long_range_index:
                x = self.long_range(x)
        features = F.relu(x).sum(dim=(2, 3))  # (B, C)
        projection = (features * self.class_embedding(label)).sum(dim=1)
        logits: Tensor = self.to_logit(features).squeeze(1) + projection
        return logits

"""Single critics of inpainted images: each maps an image and the mask of its hole to a ``CriticOutput``."""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lit_an.batch import CriticOutput
from lit_an.networks.hole_window import crop, hole_window
from lit_an.networks.initialization import LayerFactory
from lit_an.norms.registry import MakeNorm
from lit_an.tensors.precision import at_least_float32

KERNEL, SLOPE = 5, 0.2

# Multiples of the base width, convolution by convolution, and how many of them stand before the long-range layer.
GLOBAL_WIDTHS, BEFORE_GLOBAL = (1, 2, 4, 8, 4, 2), 3
WINDOW_WIDTHS, BEFORE_WINDOW = (1, 2, 4, 8, 4, 2), 2
PATCH_WIDTHS = (1, 2, 4, 8)
SN_PATCH_WIDTHS = (1, 2, 4, 4, 4, 4)


class HalvingConvolutions(nn.Module):
    """5×5 convolutions of stride 2, each with a leaky ReLU, and a long-range layer after one of them.

    Args:
        in_features: channels of the input.
        widths: channels after each convolution.
        layers: makes the convolutions.
        make_long_range: makes the long-range layer, or None for none.
        before: convolutions before the long-range layer.
        behind: the norm that acts on the last of these, a registered name.
    """

    def __init__(
        self,
        in_features: int,
        widths: Sequence[int],
        layers: LayerFactory,
        *,
        make_long_range: MakeNorm | None = None,
        before: int = 0,
        behind: str = "none",
    ) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            layers.around(behind if count == before else "none").conv(fewer, more, KERNEL, stride=2)
            for count, (fewer, more) in enumerate(pairwise([in_features, *widths]), start=1)
        )
        self.before = before
        self.long_range = make_long_range(widths[before - 1]) if make_long_range is not None else None

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        """(B, in_features, H, W) to the map after each convolution, the long-range layer's included."""
        features = []
        for count, convolution in enumerate(self.convolutions, start=1):
            x = F.leaky_relu(convolution(x), SLOPE)
            if self.long_range is not None and count == self.before:
                x = self.long_range(x, mask)
            features.append(x)
        return tuple(features)


class WholeCritic(nn.Module):
    """Maps an image to one logit: convolutions, and a linear layer on the last map.

    Args:
        base_width: channels of the first map.
        image_size: side of the images, in pixels; the last maps of other sizes are averaged to that size.
        layers: makes the layers.
        make_long_range: makes the long-range layer, or None.
        widths, before, behind: multiples of ``base_width`` and the place of the long-range layer, see above.
    """

    def __init__(
        self,
        base_width: int,
        image_size: int,
        layers: LayerFactory,
        *,
        make_long_range: MakeNorm | None,
        widths: Sequence[int] = GLOBAL_WIDTHS,
        before: int = BEFORE_GLOBAL,
        behind: str = "none",
    ) -> None:
        super().__init__()
        channels = [base_width * multiple for multiple in widths]
        self.trunk = HalvingConvolutions(
            3, channels, layers, make_long_range=make_long_range, before=before, behind=behind
        )
        self.side = -(-image_size // 2 ** len(channels))
        self.to_logit = layers.linear(channels[-1] * self.side**2, 1)

    def forward(self, image: Tensor, mask: Tensor) -> CriticOutput:
        """(B, 3, H, W) in [-1, 1] and the mask (B, 1, H, W) to logits (B,); the mask goes to the long-range layer."""
        features = self.trunk(image, mask)
        last = features[-1]
        if last.shape[2:] != (self.side, self.side):
            last = F.adaptive_avg_pool2d(last, self.side)
        return CriticOutput(self.to_logit(last.flatten(1)).squeeze(1), features)


class WindowCritic(nn.Module):
    """Maps a window around the hole to one logit.

    Args:
        critic: judges windows.
        share: of the image's height and width that a window has, above 0, up to 1.
    """

    def __init__(self, critic: WholeCritic, share: float) -> None:
        super().__init__()
        self.critic, self.share = critic, share

    def forward(self, image: Tensor, mask: Tensor) -> CriticOutput:
        """(B, 3, H, W) in [-1, 1] and the mask (B, 1, H, W) to logits (B,), of the windows only."""
        size = [max(1, round(self.share * length)) for length in image.shape[2:]]
        corner = hole_window(mask, *size)
        return self.critic(crop(image, *corner, *size), crop(mask, *corner, *size))


class HolePatchCritic(nn.Module):
    """Maps an image to the mean logit of the patches that overlap the hole.

    Args:
        base_width: channels of the first map.
        layers: makes the layers.
    """

    def __init__(self, base_width: int, layers: LayerFactory) -> None:
        super().__init__()
        channels = [base_width * multiple for multiple in PATCH_WIDTHS]
        self.trunk = HalvingConvolutions(3, channels, layers)
        self.to_logits = layers.conv(channels[-1], 1, KERNEL, stride=2)
        self.cell = 2 ** (len(channels) + 1)

    def forward(self, image: Tensor, mask: Tensor) -> CriticOutput:
        """(B, 3, H, W) in [-1, 1] and the mask (B, 1, H, W) to logits (B,); 0 where an image has no hole."""
        features = self.trunk(image, mask)
        logits = at_least_float32(self.to_logits(features[-1]))
        touched = F.max_pool2d(mask.float(), self.cell, ceil_mode=True)
        count = touched.sum((1, 2, 3)).clamp_min(1)
        return CriticOutput((logits * touched).sum((1, 2, 3)) / count, features)


class PatchCritic(nn.Module):
    """Maps an image and its mask to a logit for each value of the last map.

    Args:
        base_width: channels of the first map.
        layers: makes the layers.
        convolutions: how many of the published six, 1 to 6.
    """

    def __init__(self, base_width: int, layers: LayerFactory, convolutions: int = len(SN_PATCH_WIDTHS)) -> None:
        super().__init__()
        widths = SN_PATCH_WIDTHS[:convolutions]
        self.trunk = HalvingConvolutions(4, [base_width * multiple for multiple in widths], layers)

    def forward(self, image: Tensor, mask: Tensor) -> CriticOutput:
        """(B, 3, H, W) in [-1, 1] and the mask (B, 1, H, W) to logits (B, C, ⌈H/2ⁿ⌉, ⌈W/2ⁿ⌉), n convolutions."""
        features = self.trunk(torch.cat([image, mask.to(image.dtype)], 1), mask)
        return CriticOutput(features[-1], features[:-1])

"""Residual blocks and sizes shared by class-conditional generators and discriminators."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lit_an.errors import InputError
from lit_an.networks.initialization import LayerFactory
from lit_an.norms.registry import MakeNorm

IMAGE_SIZES = (32, 64, 128, 256)
SMALLEST_MAP = 4
LARGEST_MULTIPLE = 16


def check_image_size(network: str, image_size: int) -> None:
    """Raises InputError if a network does not support images of this side."""
    if image_size not in IMAGE_SIZES:
        sizes = ", ".join(map(str, IMAGE_SIZES))
        raise InputError(f"{network}: image_size={image_size} is not possible; choose one of {sizes}")


def check_long_range_resolution(network: str, long_range: str, resolution: int, available: list[int]) -> None:
    """Raises InputError if the network has no feature map of the resolution of the long-range layer."""
    if long_range != "none" and resolution not in available:
        sizes = ", ".join(map(str, available))
        raise InputError(f"{network}: long_range_resolution={resolution} never occurs; its feature maps have {sizes}")


def labels_of(network: str, what: str, x: Tensor, sizes: tuple[int, ...], label: Tensor, mixed: int = 0) -> Tensor:
    """The labels of a batch, after its shape and theirs are checked.

    Args:
        network: for error sentences.
        what: the network takes, likewise.
        x: (B, *sizes), what it is given.
        sizes: of each of them.
        label: (B,), whole numbers of any type.
        mixed: num_classes, where ``label`` may be weights of mixtures, (B, num_classes); else 0.

    Returns:
        (B,), int64, or (B, num_classes), of the type of ``x``.

    Raises:
        InputError: other shapes, ``x`` of no floating-point type, or labels that are no whole numbers.
    """
    if x.shape[1:] != sizes or not x.is_floating_point():
        form = ", ".join(map(str, ("B", *sizes)))
        raise InputError(f"{network} takes {what} ({form}) of a floating-point type, got {_described(x)}")
    batch, weighs = x.shape[0], label.is_floating_point()
    if label.shape != ((batch, mixed) if weighs else (batch,)):
        mixtures = f", or ({batch}, {mixed}), floating-point, for mixtures of classes" if mixed else ""
        raise InputError(
            f"{network}: labels of {batch} {what} must be ({batch},), whole numbers{mixtures}, got {_described(label)}"
        )
    return label.to(x.dtype if weighs else torch.int64)


def _described(x: Tensor) -> str:
    return f"{tuple(x.shape)}, {str(x.dtype).removeprefix('torch.')}"


class GeneratorBlock(nn.Module):
    """norm, ReLU, ×2 nearest, convolution, norm, ReLU, convolution, beside a 1×1 convolution and ×2 nearest.

    Args:
        in_features, out_features: channels.
        layers: makes the convolutions.
        make_norm: makes a norm for a number of channels.

    Source: SNGAN-projection (Miyato, Koyama, arXiv 1802.05637), figure 14; SAGAN.
    """

    def __init__(self, in_features: int, out_features: int, layers: LayerFactory, make_norm: MakeNorm) -> None:
        super().__init__()
        self.norm1, self.conv1 = make_norm(in_features), layers.residual_conv(in_features, out_features, "double")
        self.norm2, self.conv2 = make_norm(out_features), layers.residual_conv(out_features, out_features)
        self.skip = layers.conv(in_features, out_features, kernel_size=1)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """(B, in_features, H, W) and a condition (B, D) to (B, out_features, 2H, 2W)."""
        hidden = self.conv1(F.relu(self.norm1(x, condition)))
        hidden = self.conv2(F.relu(self.norm2(hidden, condition)))
        # A 1×1 convolution commutes with nearest upsampling, at a quarter of the cost on the small map.
        return hidden + _doubled(self.skip(x))


class DiscriminatorBlock(nn.Module):
    """ReLU, convolution, ReLU, convolution and ×1/2 average, beside a 1×1 convolution.

    Args:
        in_features, out_features: channels.
        layers: makes the convolutions.
        downsample: halve the map.
        first: the input is the image: no ReLU before the first convolution.
        hidden_features: channels between the two convolutions; None takes ``out_features``.

    Source: SNGAN-projection (Miyato, Koyama, arXiv 1802.05637), figure 14; SAGAN.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        layers: LayerFactory,
        *,
        downsample: bool = True,
        first: bool = False,
        hidden_features: int | None = None,
    ) -> None:
        super().__init__()
        hidden = out_features if hidden_features is None else hidden_features
        self.conv1 = layers.residual_conv(in_features, hidden)
        self.conv2 = layers.residual_conv(hidden, out_features, "halve" if downsample else "none")
        self.skip = layers.conv(in_features, out_features, kernel_size=1) if downsample else nn.Identity()
        self.downsample, self.first = downsample, first

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_features, H, W) to (B, out_features, H/2, W/2), or the same size without ``downsample``."""
        hidden = self.conv2(F.relu(self.conv1(x if self.first else F.relu(x))))
        if not self.downsample:
            return hidden + x
        # Averaging before a 1×1 convolution is the same as after it, at a quarter of the cost.
        return hidden + self.skip(F.avg_pool2d(x, 2))


def _doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")

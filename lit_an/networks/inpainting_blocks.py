"""The parts of coarse-to-fine inpainting generators: a convolution with its norm, encoder, decoder, shapes."""

from collections.abc import Iterable

import torch.nn.functional as F
from torch import Tensor, nn

from lit_an.errors import InputError
from lit_an.networks.initialization import LayerFactory
from lit_an.norms.registry import MakeNorm
from lit_an.tensors.holes import is_hole

DILATIONS = (2, 4, 8, 16)


def mask_of(network: str, image: Tensor, mask: Tensor, smallest: int) -> Tensor:
    """The mask of images as a network takes it, after the shapes of both are checked.

    Args:
        network: for error sentences.
        image: (B, 3, H, W), H and W at least ``smallest``.
        mask: (B, 1, H, W), of any type.
        smallest: side of an image, in pixels.

    Returns:
        (B, 1, H, W), of the image's type, 1 = hole, 0 = known.

    Raises:
        InputError: other shapes, or images of no floating-point type.
    """
    if image.dim() != 4 or image.shape[1] != 3 or min(image.shape[2:]) < smallest:
        given = tuple(image.shape)
        raise InputError(f"{network} takes images (B, 3, H, W), H and W at least {smallest}, got {given}")
    if not image.is_floating_point():
        raise InputError(f"{network} takes floating-point images in [-1, 1], got {image.dtype}; convert them first")
    expected = (image.shape[0], 1, *image.shape[2:])
    if mask.shape != expected:
        raise InputError(
            f"{network}: the mask of images {tuple(image.shape)} must be {expected}, got {tuple(mask.shape)}"
        )
    return is_hole(mask).to(image.dtype)


class InpaintingBlock(nn.Module):
    """(×2 nearest,) convolution, norm, ELU.

    Args:
        in_features, out_features: channels.
        layers: makes the convolution.
        make_norm: makes a norm for a number of channels.
        kernel_size, stride, dilation: of the convolution; one that doubles has a 3×3 kernel.
        upsample: double the map first.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        layers: LayerFactory,
        make_norm: MakeNorm,
        *,
        kernel_size: int = 3,
        stride: int = 1,
        dilation: int = 1,
        upsample: bool = False,
    ) -> None:
        super().__init__()
        if upsample:
            assert (kernel_size, stride, dilation) == (3, 1, 1)
            self.conv = layers.doubling_conv(in_features, out_features)
        else:
            self.conv = layers.conv(in_features, out_features, kernel_size, stride=stride, dilation=dilation)
        self.norm = make_norm(out_features)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Features (B, in_features, H, W) and the mask, (B, 1, …) of any resolution, to (B, out_features, …)."""
        return F.elu(self.norm(self.conv(x), mask))


class InpaintingBlocks(nn.ModuleList):
    """Blocks one after the other; each is given the mask."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Features (B, C, H, W) and the mask through all blocks."""
        for block in self:
            x = block(x, mask)
        return x


def encoder(in_features: int, width: int, layers: LayerFactory, make_norm: MakeNorm) -> Iterable[InpaintingBlock]:
    """Five blocks from (B, in_features, H, W) to (B, 4·width, H/4, W/4)."""
    yield InpaintingBlock(in_features, width, layers, make_norm, kernel_size=5)
    yield InpaintingBlock(width, 2 * width, layers, make_norm, stride=2)
    yield InpaintingBlock(2 * width, 2 * width, layers, make_norm)
    yield InpaintingBlock(2 * width, 4 * width, layers, make_norm, stride=2)
    yield InpaintingBlock(4 * width, 4 * width, layers, make_norm)


def dilated(features: int, layers: LayerFactory, make_norm: MakeNorm) -> Iterable[InpaintingBlock]:
    """A plain block and four with growing dilation; all keep the size of the map."""
    yield InpaintingBlock(features, features, layers, make_norm)
    for dilation in DILATIONS:
        yield InpaintingBlock(features, features, layers, make_norm, dilation=dilation)


def decoder(in_features: int, width: int, layers: LayerFactory, make_norm: MakeNorm) -> Iterable[InpaintingBlock]:
    """Six blocks from (B, in_features, H/4, W/4) to (B, width/2, H, W)."""
    yield InpaintingBlock(in_features, 4 * width, layers, make_norm)
    yield InpaintingBlock(4 * width, 4 * width, layers, make_norm)
    yield InpaintingBlock(4 * width, 2 * width, layers, make_norm, upsample=True)
    yield InpaintingBlock(2 * width, 2 * width, layers, make_norm)
    yield InpaintingBlock(2 * width, width, layers, make_norm, upsample=True)
    yield InpaintingBlock(width, width // 2, layers, make_norm)

"""Coarse-to-fine inpainting generator with slots for norms: the network of the AN paper, after DeepFill v1."""

from typing import Literal

import torch
from torch import Tensor, nn

from lit_an.batch import Inpainted
from lit_an.errors import InputError
from lit_an.networks.initialization import Initialization, LayerFactory, Padding
from lit_an.networks.inpainting_blocks import (
    InpaintingBlock,
    InpaintingBlocks,
    decoder,
    dilated,
    encoder,
    mask_of,
)
from lit_an.networks.mirroring import mirrored
from lit_an.networks.pyramid_fill import pyramid_fill
from lit_an.networks.slots import (
    MASK_CONDITION,
    LongRangeForm,
    Scalar,
    norm_behind,
    resolve_long_range,
    resolve_norm,
)
from lit_an.norms.registry import MakeNorm, norm_factory
from lit_an.tensors.clipping import clip
from lit_an.tensors.holes import composite, erase

SMALLEST_SIDE = 8

Coarse = Literal["learned", "pyramid"]

# Of the initial weights of the last convolution where it only corrects: full ones would begin with noise.
_CORRECTION_GAIN = 0.1


class CoarseToFineGenerator(nn.Module):
    """Maps an image of any size and the mask of its hole to a coarse and a fine filled image.

    Both stages get the image, ones and the mask. The coarse stage encodes to a quarter of the resolution, enlarges the
    receptive field with dilated convolutions and decodes. The fine stage gets the coarse result in the hole and the
    known pixels elsewhere, in two encoders: one dilated, one with the long-range layer between a convolution of 4·width
    channels and its activation; their concatenated maps are decoded. The network erases the hole itself, so the pixels
    in it do not affect the result. Norms that depend on a mask get this mask.

    Args:
        width: channels of the first feature map, even, ≥ 2; 32 in the paper.
        norm: the norm of every block, any registered name but those that need a class; none in the paper.
        norm_kwargs: its arguments.
        long_range: the norm of one block of the second encoder, likewise, in place of ``norm``.
        long_range_kwargs: its arguments.
        long_range_form: ``residual``, x + ρ · norm(W_v x), or ``plain``, for norms that do not add to x by themselves.
        initialization: ``xavier``, as published, or ``orthogonal``.
        padding: of convolutions at the border: ``zeros``, as published, ``reflect`` or ``replicate``.
        spectral_norm: divide the weights by their largest singular value.
        coarse: the first stage, ``learned``, as published, or ``pyramid``: a smooth filling without weights
            (``pyramid_fill``), to which the fine stage adds a correction in the hole, small at first: a third less
            time, and better in runs of minutes (``docs/inpainting_sweep.md``). What is known is the image's in both
            results; the filling's distances are constants, so that ``coarse_weight`` and ``context_weight`` are 0.

    Attributes:
        multiple: the network works at multiples of this size; others are mirrored up to one and cropped back.

    Raises:
        InputError: an argument out of range, or an unknown or unfit norm; at forward, shapes that do not fit.

    Source: Wang et al., CVPR 2020, section 4 and the authors' code, whose layers these are: 17 convolutions in the
    coarse stage and 25 in the fine one, with 3,767,558 weights at width 32, AN's not counted. They come from DeepFill
    v1 (Yu et al., CVPR 2018, arXiv 1801.07892).
    Differs: ``pyramid`` is ours; convolutions of stride 2 add a border on all four sides, where TensorFlow adds it
    right and below; the clip lets gradients through that lead back into the range, so that no pixel dies; AN's
    differences are told there.

    Example:
        >>> generator = CoarseToFineGenerator(width=2)
        >>> mask = torch.zeros(1, 1, 30, 45)
        >>> mask[:, :, 10:20, 10:20] = 1
        >>> generator(torch.zeros(1, 3, 30, 45), mask).fine.shape
        torch.Size([1, 3, 30, 45])
    """

    multiple = 4

    def __init__(
        self,
        *,
        width: int = 32,
        norm: str = "none",
        norm_kwargs: dict[str, Scalar] | None = None,
        long_range: str = "attentive",
        long_range_kwargs: dict[str, Scalar] | None = None,
        long_range_form: LongRangeForm = "residual",
        initialization: Initialization = "xavier",
        padding: Padding = "zeros",
        spectral_norm: bool = False,
        coarse: Coarse = "learned",
    ) -> None:
        super().__init__()
        if coarse not in ("learned", "pyramid"):
            raise InputError(f"CoarseToFineGenerator: coarse must be 'learned' or 'pyramid', got {coarse!r}")
        if width < 2 or width % 2:
            raise InputError(f"CoarseToFineGenerator: width must be even and at least 2, got {width}")
        self.width = width
        to_image = LayerFactory(initialization, spectral_norm=spectral_norm, padding=padding)
        layers = to_image.around(norm)
        before_long_range = to_image.around(norm_behind(long_range, long_range_form))
        make_norm = resolve_norm("norm", norm, norm_kwargs, MASK_CONDITION)
        make_long_range = resolve_long_range(
            long_range, long_range_kwargs, form=long_range_form, provided=MASK_CONDITION
        )
        self.learns_coarse = coarse == "learned"
        if self.learns_coarse:
            self.coarse = InpaintingBlocks(
                [
                    *encoder(5, width, layers, make_norm),
                    *dilated(4 * width, layers, make_norm),
                    *decoder(4 * width, width, layers, make_norm),
                ]
            )
            self.coarse_to_image = to_image.conv(width // 2, 3)
        self.dilated = InpaintingBlocks([*encoder(5, width, layers, make_norm), *dilated(4 * width, layers, make_norm)])
        self.long_range = InpaintingBlocks(
            _long_range_branch(width, layers, make_norm, before_long_range, make_long_range or norm_factory("none"))
        )
        self.fine = InpaintingBlocks(decoder(8 * width, width, layers, make_norm))
        self.fine_to_image = to_image.conv(width // 2, 3, gain=1.0 if self.learns_coarse else _CORRECTION_GAIN)

    def forward(self, image: Tensor, mask: Tensor) -> Inpainted:
        """Fills the hole.

        Args:
            image: (B, 3, H, W), in [-1, 1], H and W at least 8; what is in the hole does not matter.
            mask: (B, 1, H, W), of any type, above 0.5 = hole.

        Returns:
            coarse, fine: (B, 3, H, W) each, in [-1, 1], of the image's type; not composited with the known pixels.

        Raises:
            InputError: shapes other than these.
        """
        mask = mask_of("CoarseToFineGenerator", image, mask, SMALLEST_SIDE)
        height, width = image.shape[2:]
        erased = erase(image, mask)
        below, right = -height % self.multiple, -width % self.multiple
        if below or right:
            erased, mask = (mirrored(part, 0, right, 0, below) for part in (erased, mask))

        if self.learns_coarse:
            coarse = self._image(self.coarse_to_image(self.coarse(_with_mask(erased, mask), mask)), image.dtype)
        else:
            coarse = pyramid_fill(erased, mask)
        known_or_coarse = composite(erased, coarse, mask)
        given = _with_mask(known_or_coarse, mask)
        painted = self.fine_to_image(
            self.fine(torch.cat([self.dilated(given, mask), self.long_range(given, mask)], 1), mask)
        )
        fine = self._image(painted if self.learns_coarse else coarse + painted, image.dtype)
        if not self.learns_coarse:
            fine = composite(erased, fine, mask)  # what is known needs no correction
        return Inpainted(coarse[..., :height, :width], fine[..., :height, :width])

    @staticmethod
    def _image(x: Tensor, dtype: torch.dtype) -> Tensor:
        # Under autocast the convolution's result is coarser than an image may be.
        return clip(x.to(dtype))


def _long_range_branch(
    width: int, layers: LayerFactory, make_norm: MakeNorm, before_long_range: LayerFactory, make_long_range: MakeNorm
) -> list[InpaintingBlock]:
    features = 4 * width
    return [
        *encoder(5, width, layers, make_norm),
        InpaintingBlock(features, features, before_long_range, make_long_range),
        InpaintingBlock(features, features, layers, make_norm),
        InpaintingBlock(features, features, layers, make_norm),
    ]


def _with_mask(image: Tensor, mask: Tensor) -> Tensor:
    """(B, 5, H, W): the image, ones, by which a convolution knows the border, and the mask."""
    return torch.cat([image, torch.ones_like(mask), mask], 1)

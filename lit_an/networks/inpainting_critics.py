"""Discriminators of inpainted images: global and local WGAN-GP critics, and DeepFill v2's patch discriminator."""

from typing import Any, Literal

from torch import Tensor, nn

from lit_an.batch import CriticOutput
from lit_an.errors import InputError
from lit_an.networks.critic_parts import (
    BEFORE_WINDOW,
    SN_PATCH_WIDTHS,
    WINDOW_WIDTHS,
    HolePatchCritic,
    PatchCritic,
    WholeCritic,
    WindowCritic,
)
from lit_an.networks.initialization import Initialization, LayerFactory
from lit_an.networks.inpainting_blocks import mask_of
from lit_an.networks.slots import MASK_CONDITION, LongRangeForm, Scalar, norm_behind, resolve_long_range

Local = Literal["window", "patch", "none"]


class _Critics(nn.Module):
    """Independent critics.

    Attributes:
        critics: each with ``forward(image, mask) -> CriticOutput``.
    """

    def __init__(self, *critics: nn.Module) -> None:
        super().__init__()
        self.critics = nn.ModuleList(critics)

    def forward(self, image: Tensor, mask: Tensor) -> tuple[CriticOutput, ...]:
        """Scores inpainted or real images.

        Args:
            image: (B, 3, H, W), in [-1, 1]; for inpainted images the composite.
            mask: (B, 1, H, W), of any type, above 0.5 = hole.

        Returns:
            One ``CriticOutput`` per critic.

        Raises:
            InputError: shapes other than these.
        """
        mask = mask_of(type(self).__name__, image, mask, smallest=1)
        return tuple(critic(image, mask) for critic in self.critics)


class GlobalAndLocalCritics(_Critics):
    """WGAN-GP critics: one of the whole image, one of the hole, without shared weights.

    Norms in the long-range slot get the mask; in a gradient penalty they must keep images apart, which those with
    moments of the batch do not.

    Args:
        image_size: side of the images that the critics are made for, in pixels, ≥ 8; other sizes work too.
        base_width: channels of the first map, ≥ 1; 64 in the paper.
        local: input of the second critic: the ``window`` around the hole (rectangles), the ``patch``es that
            have a part of it (free-form holes), or ``none`` for no second critic.
        window: share of the image's sides that the window has, above 0, up to 1; ½ as published, 128 of 256 pixels.
        long_range: the layer at 1/8 of the resolution in the global critic and at 1/4 in the window critic, any
            registered norm but those that need a class, or ``none``; the patch critic has none, as published.
        long_range_kwargs: its arguments.
        long_range_form: ``residual``, x + ρ · norm(W_v x), or ``plain``, for norms that do not add to x by themselves.
        initialization: ``xavier``, as published, or ``orthogonal``.
        spectral_norm: divide the weights by their largest singular value, in addition to the gradient penalty.

    Raises:
        InputError: an argument out of range, or an unknown or unfit norm; at forward, shapes that do not fit.

    Source: Wang et al., CVPR 2020, section 4 and the authors' code: self-attention after the third of six
    convolutions and the second of six, patches as there; with windows at 256 px 16,808,450 weights,
    self-attention's not counted. After DeepFill v1 (Yu et al., CVPR 2018, arXiv 1801.07892), whose critics have four
    convolutions.
    Differs: windows lie around the hole and are as large for every image; the authors' are the rectangle that the hole
    was drawn in. Self-attention is SAGAN's: the published code calls one that it does not contain.

    Example:
        >>> import torch
        >>> critics = GlobalAndLocalCritics(64, base_width=4)
        >>> outputs = critics(torch.zeros(2, 3, 64, 64), torch.ones(2, 1, 64, 64))
        >>> [output.logits.shape for output in outputs]
        [torch.Size([2]), torch.Size([2])]
    """

    def __init__(
        self,
        image_size: int = 256,
        *,
        base_width: int = 64,
        local: Local = "window",
        window: float = 0.5,
        long_range: str = "self_attention",
        long_range_kwargs: dict[str, Scalar] | None = None,
        long_range_form: LongRangeForm = "residual",
        initialization: Initialization = "xavier",
        spectral_norm: bool = False,
    ) -> None:
        if image_size < 8:
            raise InputError(f"GlobalAndLocalCritics: image_size must be at least 8, got {image_size}")
        _check_base_width("GlobalAndLocalCritics", base_width)
        if local not in ("window", "patch", "none"):
            raise InputError(f"GlobalAndLocalCritics: local must be 'window', 'patch' or 'none', got {local!r}")
        if not 0 < window <= 1:
            raise InputError(f"GlobalAndLocalCritics: window must be above 0 and at most 1, got {window}")
        layers = LayerFactory(initialization, spectral_norm=spectral_norm)
        make_long_range = resolve_long_range(
            long_range, long_range_kwargs, form=long_range_form, provided=MASK_CONDITION
        )
        slot: dict[str, Any] = {
            "make_long_range": make_long_range,
            "behind": norm_behind(long_range, long_range_form),
        }
        critics: list[nn.Module] = [WholeCritic(base_width, image_size, layers, **slot)]
        if local == "window":
            side = max(1, round(window * image_size))
            whole = WholeCritic(base_width, side, layers, widths=WINDOW_WIDTHS, before=BEFORE_WINDOW, **slot)
            critics.append(WindowCritic(whole, window))
        elif local == "patch":
            critics.append(HolePatchCritic(base_width, layers))
        super().__init__(*critics)


class SNPatchDiscriminator(_Critics):
    """DeepFill v2's discriminator: every value of a deep feature map of image and mask is a logit.

    Args:
        base_width: channels of the first map, ≥ 1; 64 in the paper.
        initialization: ``xavier`` or ``orthogonal``.
        spectral_norm: divide the weights by their largest singular value, as the paper does.
        convolutions: each halves the map, 1 to 6; the paper's 6 leave 4×4 logits per channel of an image of 256 px, as
            4 do of one of 64 px, of which 6 leave a single one.

    Raises:
        InputError: an argument out of range; at forward, shapes that do not fit.

    Source: Yu et al., "Free-form image inpainting with gated convolution", ICCV 2019 (arXiv 1806.03589),
    SN-PatchGAN, and the widths of the authors' code, with a leaky ReLU after the last convolution too; for a hinge
    loss.

    Example:
        >>> import torch
        >>> (output,) = SNPatchDiscriminator(base_width=4)(torch.zeros(2, 3, 128, 128), torch.ones(2, 1, 128, 128))
        >>> output.logits.shape
        torch.Size([2, 16, 2, 2])
    """

    def __init__(
        self,
        *,
        base_width: int = 64,
        initialization: Initialization = "xavier",
        spectral_norm: bool = True,
        convolutions: int = len(SN_PATCH_WIDTHS),
    ) -> None:
        _check_base_width("SNPatchDiscriminator", base_width)
        if not 1 <= convolutions <= len(SN_PATCH_WIDTHS):
            raise InputError(f"SNPatchDiscriminator: convolutions must be from 1 to 6, got {convolutions}")
        layers = LayerFactory(initialization, spectral_norm=spectral_norm)
        super().__init__(PatchCritic(base_width, layers, convolutions))


def _check_base_width(network: str, base_width: int) -> None:
    if base_width < 1:
        raise InputError(f"{network}: base_width must be at least 1, got {base_width}")

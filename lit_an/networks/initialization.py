"""A factory of layers that all blocks of a network share."""

from dataclasses import KW_ONLY, dataclass, replace
from typing import Literal

from torch import Tensor, nn
from torch.nn.utils import parametrize

from lit_an.errors import InputError
from lit_an.networks.mirroring import Mirror
from lit_an.networks.resampling import Resampling, ResamplingConv2d
from lit_an.networks.spectral_norm import SpectralNorm
from lit_an.networks.strided import StridedConv2d
from lit_an.norms.registry import standardizes_convolutions
from lit_an.norms.weight_standardization import standardize_weight

Initialization = Literal["orthogonal", "xavier"]
Padding = Literal["zeros", "reflect", "replicate"]


@dataclass(frozen=True)
class LayerFactory:
    """Creates convolutions, linear layers and embeddings with one initialization and normalization.

    Args:
        initialization: ``orthogonal`` (BigGAN) or ``xavier`` (uniform; SAGAN, SNGAN-projection).
        spectral_norm: divide each weight by its largest singular value.
        padding: what lies beyond the border of a map for a convolution: ``zeros``, the map mirrored without its
            border (``reflect``), or the border's value (``replicate``).
        residual_gain: factor of the initial weights of the 3×3 convolutions of residual blocks, > 0; √2 in
            SNGAN-projection's code.
        standardize: standardize the weights of convolutions (``WeightStandardization``). Gains then do nothing, and
            ``spectral_norm`` divides the standardized weight, whose D filters have unit norm, by its largest singular
            value, which lies between 1 and √D.

    Raises:
        InputError: unknown initialization or padding, or a gain out of range.

    Example:
        >>> LayerFactory("orthogonal", spectral_norm=False).linear(3, 2)
        Linear(in_features=3, out_features=2, bias=True)
    """

    initialization: Initialization = "orthogonal"
    _: KW_ONLY
    spectral_norm: bool = True
    padding: Padding = "zeros"
    residual_gain: float = 1.0
    standardize: bool = False

    def __post_init__(self) -> None:
        if self.padding not in ("zeros", "reflect", "replicate"):
            raise InputError(f"padding must be 'zeros', 'reflect' or 'replicate', got {self.padding!r}")
        if self.initialization not in ("orthogonal", "xavier"):
            raise InputError(f"initialization must be 'orthogonal' or 'xavier', got {self.initialization!r}")
        if not 0 < self.residual_gain < float("inf"):
            raise InputError(f"residual_gain must be above 0 and finite, got {self.residual_gain}")

    def around(self, *norms: str) -> "LayerFactory":
        """The factory of the layers around norms: with standardized convolutions if one of the norms asks for them.

        Args:
            norms: registered names.

        Example:
            >>> LayerFactory().around("batch").standardize, LayerFactory().around("standardized_group").standardize
            (False, True)
            >>> LayerFactory(standardize=True).around("batch").standardize
            True
        """
        return replace(self, standardize=self.standardize or any(map(standardizes_convolutions, norms)))

    def conv(
        self,
        in_features: int,
        out_features: int,
        kernel_size: int = 3,
        *,
        stride: int = 1,
        dilation: int = 1,
        gain: float = 1.0,
    ) -> nn.Module:
        """A convolution from (H, W) to (⌈H / stride⌉, ⌈W / stride⌉)."""
        border = dilation * (kernel_size // 2)
        if self.padding == "reflect":
            unpadded = nn.Conv2d(in_features, out_features, kernel_size, stride, dilation=dilation)
            return nn.Sequential(Mirror(border), self._finish(unpadded, gain))
        kind = nn.Conv2d if stride == 1 else StridedConv2d
        convolution = kind(in_features, out_features, kernel_size, stride, border, dilation, padding_mode=self.padding)
        return self._finish(convolution, gain)

    def doubling_conv(self, in_features: int, out_features: int) -> nn.Module:
        """×2 nearest, then a 3×3 convolution: from (H, W) to (2H, 2W)."""
        if self.padding == "reflect":
            mirrored = nn.Sequential(nn.Upsample(scale_factor=2.0), Mirror(1))
            return nn.Sequential(mirrored, self._finish(nn.Conv2d(in_features, out_features, 3)))
        return self._finish(ResamplingConv2d(in_features, out_features, "double", self.padding))

    def residual_conv(self, in_features: int, out_features: int, resampling: Resampling = "none") -> nn.Module:
        """A 3×3 convolution of a residual block's sum, not of its skip, with a border of zeros."""
        return self._finish(ResamplingConv2d(in_features, out_features, resampling), self.residual_gain)

    def linear(self, in_features: int, out_features: int) -> nn.Module:
        """A linear layer."""
        return self._finish(nn.Linear(in_features, out_features))

    def embedding(self, num_embeddings: int, features: int) -> nn.Module:
        """A table of vectors."""
        return self._finish(nn.Embedding(num_embeddings, features))

    def initialize(self, weight: Tensor, gain: float = 1.0) -> None:
        """Draws a weight, in place."""
        draw = nn.init.orthogonal_ if self.initialization == "orthogonal" else nn.init.xavier_uniform_
        draw(weight, gain)

    def _finish(self, layer: nn.Conv2d | nn.Linear | nn.Embedding, gain: float = 1.0) -> nn.Module:
        self.initialize(layer.weight, gain)
        bias = getattr(layer, "bias", None)
        if bias is not None:
            nn.init.zeros_(bias)
        if self.standardize and isinstance(layer, nn.Conv2d):
            standardize_weight(layer)
        if self.spectral_norm:
            parametrize.register_parametrization(layer, "weight", SpectralNorm(layer.weight.detach()))
        return layer

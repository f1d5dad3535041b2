"""How the layers of a network are made: one object that every block receives."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import _SpectralNorm

from lit_an.errors import InputError
from lit_an.networks.mirroring import Mirror

Initialization = Literal["orthogonal", "xavier"]
Padding = Literal["zeros", "reflect", "replicate"]


class SpectralNorm(_SpectralNorm):
    """torch's spectral normalization, its power iteration always in float32.

    Under autocast the matrix-vector products of the power iteration would run in half precision on some devices,
    and the weight would be divided by a coarse estimate.

    Source: Miyato et al., "Spectral normalization for generative adversarial networks", ICLR 2018.
    """

    def forward(self, weight: Tensor) -> Tensor:
        with torch.autocast(weight.device.type, enabled=False):
            normalized: Tensor = super().forward(weight)
            return normalized


@dataclass(frozen=True)
class LayerFactory:
    """Makes the convolutions, linear layers and embeddings of a network, initialized and normalized alike.

    Args:
        initialization: ``orthogonal`` (BigGAN) or ``xavier`` (uniform; SAGAN, SNGAN-projection).
        spectral_norm: divide each weight by its largest singular value.
        padding: what lies beyond the border of a map for a convolution: ``zeros``, the map mirrored without its
            border (``reflect``), or the border's value (``replicate``).

    Raises:
        InputError: unknown initialization or padding.

    Example:
        >>> LayerFactory("orthogonal", spectral_norm=False).linear(3, 2)
        Linear(in_features=3, out_features=2, bias=True)
    """

    initialization: Initialization = "orthogonal"
    spectral_norm: bool = True
    padding: Padding = "zeros"

    def __post_init__(self) -> None:
        if self.padding not in ("zeros", "reflect", "replicate"):
            raise InputError(f"padding must be 'zeros', 'reflect' or 'replicate', got {self.padding!r}")
        if self.initialization not in ("orthogonal", "xavier"):
            raise InputError(f"initialization must be 'orthogonal' or 'xavier', got {self.initialization!r}")

    def conv(
        self, in_features: int, out_features: int, kernel_size: int = 3, stride: int = 1, dilation: int = 1
    ) -> nn.Module:
        """A convolution from (H, W) to (⌈H / stride⌉, ⌈W / stride⌉)."""
        border = dilation * (kernel_size // 2)
        if self.padding == "reflect":
            unpadded = nn.Conv2d(in_features, out_features, kernel_size, stride, dilation=dilation)
            return nn.Sequential(Mirror(border), self._finish(unpadded))
        convolution = nn.Conv2d(
            in_features, out_features, kernel_size, stride, border, dilation, padding_mode=self.padding
        )
        return self._finish(convolution)

    def linear(self, in_features: int, out_features: int, bias: bool = True) -> nn.Module:
        """A linear layer."""
        return self._finish(nn.Linear(in_features, out_features, bias))

    def embedding(self, num_embeddings: int, features: int) -> nn.Module:
        """A table of vectors."""
        return self._finish(nn.Embedding(num_embeddings, features))

    def _finish(self, layer: nn.Conv2d | nn.Linear | nn.Embedding) -> nn.Module:
        initialize = nn.init.orthogonal_ if self.initialization == "orthogonal" else nn.init.xavier_uniform_
        initialize(layer.weight)
        bias = getattr(layer, "bias", None)
        if bias is not None:
            nn.init.zeros_(bias)
        if self.spectral_norm:
            parametrize.register_parametrization(layer, "weight", SpectralNorm(layer.weight.data))
        return layer

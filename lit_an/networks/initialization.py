"""How the layers of a network are made: one object that every block receives."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import _SpectralNorm

from lit_an.errors import InputError

Initialization = Literal["orthogonal", "xavier"]


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

    Raises:
        InputError: unknown initialization.

    Example:
        >>> LayerFactory("orthogonal", spectral_norm=False).linear(3, 2)
        Linear(in_features=3, out_features=2, bias=True)
    """

    initialization: Initialization = "orthogonal"
    spectral_norm: bool = True

    def __post_init__(self) -> None:
        if self.initialization not in ("orthogonal", "xavier"):
            raise InputError(f"initialization must be 'orthogonal' or 'xavier', got {self.initialization!r}")

    def conv(self, in_features: int, out_features: int, kernel_size: int = 3) -> nn.Module:
        """A convolution that keeps the size of the map."""
        return self._finish(nn.Conv2d(in_features, out_features, kernel_size, padding=kernel_size // 2))

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

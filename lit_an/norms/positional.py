"""Positional normalization: each position of a map by the moments of its channels."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from lit_an.norms.base import Norm2d
from lit_an.norms.registry import register_norm
from lit_an.tensors.precision import at_least_float32, without_autocast


@register_norm("positional")
class PositionalNorm2d(Norm2d):
    """Positional normalization (PONO): moments over the channels at each position (Li et al., arXiv 1907.04312).

    Args:
        num_features: C, channels; a map of one channel becomes 0.
        eps: > 0, added to the variance.
        affine: learn a gain and a shift per channel; the paper's norm has none.

    Source: Li et al., "Positional normalization", NeurIPS 2019 (arXiv 1907.04312), section 3.
    Differs: the paper's moment shortcut, which gives the removed moments to a later layer, is a connection of a network
    and not of a norm; the authors' code divides by the unbiased deviation.

    Example:
        >>> normalized = PositionalNorm2d(8)(torch.randn(1, 8, 4, 4))
        >>> bool(normalized.mean(1).abs().max() < 1e-6)
        True
    """

    paper: ClassVar[str] = "1907.04312"

    def __init__(self, num_features: int, *, eps: float = 1e-5, affine: bool = False) -> None:
        super().__init__(num_features, eps=eps)
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(num_features)) if affine else None
        self.bias = nn.Parameter(torch.zeros(num_features)) if affine else None

    def normalize(self, x: Tensor, condition: Tensor | None) -> Tensor:
        with without_autocast(x):
            wide = at_least_float32(x)
            # Two means: torch.var_mean takes about ten times as long over these dimensions.
            centered = wide - wide.mean(1, keepdim=True)
            var = centered.square().mean(1, keepdim=True)  # (B, 1, H, W)
            normalized = centered * (var + self.eps).rsqrt()
            if self.weight is not None and self.bias is not None:
                normalized = normalized * self.weight[:, None, None] + self.bias[:, None, None]
            return normalized.to(x.dtype)

    def extra_repr(self) -> str:
        return f"{self.num_features}, eps={self.eps}, affine={self.weight is not None}"

"""Filter response normalization: divides each channel of an image by the root of its mean square."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from lit_an.norms.base import Norm2d
from lit_an.norms.registry import register_norm
from lit_an.tensors.precision import at_least_float32, without_autocast


@register_norm("filter_response")
class FilterResponseNorm2d(Norm2d):
    """Filter response normalization: no mean, no companions in the batch (Singh, Krishnan, arXiv 1911.09737).

    weight · x / sqrt(ν² + eps) + bias, with ν² the mean of x² over the positions of a channel. With ``thresholded``,
    the thresholded linear unit follows, max(·, threshold), with a learned threshold per channel that starts at 0.

    Args:
        num_features: C, channels.
        thresholded: end with the thresholded linear unit, as the paper's layer does.
        eps: > 0, added to the mean square; 1e-6 in the paper.
        affine: learn a gain and a shift per channel.

    Source: Singh, Krishnan, "Filter response normalization layer: eliminating batch dependence in the training of deep
    neural networks", CVPR 2020 (arXiv 1911.09737), section 3.
    Differs: the thresholded linear unit is off, because networks here put their own activation behind a norm; eps is
    not learned, which the paper does for maps of one position.

    Example:
        >>> normalized = FilterResponseNorm2d(8)(torch.randn(2, 8, 16, 16) + 3)
        >>> bool((normalized.square().mean((2, 3)) - 1).abs().max() < 1e-5)
        True
    """

    paper: ClassVar[str] = "1911.09737"

    def __init__(self, num_features: int, *, thresholded: bool = False, eps: float = 1e-6, affine: bool = True) -> None:
        super().__init__(num_features, eps=eps)
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(num_features)) if affine else None
        self.bias = nn.Parameter(torch.zeros(num_features)) if affine else None
        self.threshold = nn.Parameter(torch.zeros(num_features)) if thresholded else None

    def normalize(self, x: Tensor, condition: Tensor | None) -> Tensor:
        with without_autocast(x):
            wide = at_least_float32(x)
            scale = (wide.square().mean((2, 3), keepdim=True) + self.eps).rsqrt()
            if self.weight is not None:
                scale = scale * self.weight[:, None, None]
            normalized = wide * scale
            if self.bias is not None:
                normalized = normalized + self.bias[:, None, None]
            if self.threshold is not None:
                normalized = torch.maximum(normalized, self.threshold[:, None, None].to(normalized))
            return normalized.to(x.dtype)

    def extra_repr(self) -> str:
        affine, thresholded = self.weight is not None, self.threshold is not None
        return f"{self.num_features}, thresholded={thresholded}, eps={self.eps}, affine={affine}"

"""Spatially adaptive normalization: gain and shift of every position from a mask."""

from typing import ClassVar, Literal

import torch.nn.functional as F
from torch import Tensor, nn

from lit_an.errors import InputError
from lit_an.norms.base import ConditionKind, Norm2d, mask_for
from lit_an.norms.registry import register_norm

# Of Glorot's normal distribution in the authors' options: gain and shift start small.
_START_GAIN = 0.02


@register_norm("spade")
class SpatiallyAdaptiveNorm2d(Norm2d):
    """Spatially adaptive normalization (SPADE): gain and shift per position, from the mask (arXiv 1903.07291).

    (1 + gain(mask)) · norm(x) + shift(mask). A convolution and a ReLU make ``hidden_features`` maps of the mask, which
    is resized to the map by nearest neighbor; two more convolutions make gain and shift of them.

    Args:
        num_features: C, channels.
        hidden_features: maps that gain and shift are made of, ≥ 1; 128 in the authors' code.
        kernel_size: of the three convolutions, odd, ≥ 1; 3 as published.
        statistics: moments of the ``batch``, with running ones at evaluation, as published, or of each ``image``.
        eps: > 0, added to the variance.
        momentum: share of the newest batch in the running statistics, 0 to 1.

    Raises:
        InputError: an argument out of range; at forward, no mask (B, 1, H', W').

    Source: Park et al., "Semantic image synthesis with spatially-adaptive normalization", CVPR 2019 (arXiv 1903.07291),
    section 3, and the sizes and the start of the authors' code.
    Differs: the map of classes is the mask of the hole, one channel, which says as much as two of hole and known.

    Example:
        >>> import torch
        >>> SpatiallyAdaptiveNorm2d(8)(torch.randn(2, 8, 4, 4), torch.ones(2, 1, 16, 16)).shape
        torch.Size([2, 8, 4, 4])
    """

    condition_kind: ClassVar[ConditionKind] = "mask"
    paper: ClassVar[str] = "1903.07291"

    def __init__(
        self,
        num_features: int,
        *,
        hidden_features: int = 128,
        kernel_size: int = 3,
        statistics: Literal["image", "batch"] = "batch",
        eps: float = 1e-5,
        momentum: float = 0.1,
    ) -> None:
        super().__init__(num_features, eps=eps, momentum=momentum)
        if statistics not in ("image", "batch"):
            raise InputError(f"norm 'spade': statistics must be 'image' or 'batch', got {statistics!r}")
        if hidden_features < 1:
            raise InputError(f"norm 'spade': hidden_features must be at least 1, got {hidden_features}")
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise InputError(f"norm 'spade': kernel_size must be odd and at least 1, got {kernel_size}")
        self.norm: nn.Module = (
            nn.BatchNorm2d(num_features, eps, momentum, affine=False)
            if statistics == "batch"
            else nn.InstanceNorm2d(num_features, eps)
        )
        padding = kernel_size // 2
        self.hidden = nn.Conv2d(1, hidden_features, kernel_size, padding=padding)
        self.gain = nn.Conv2d(hidden_features, num_features, kernel_size, padding=padding)
        self.shift = nn.Conv2d(hidden_features, num_features, kernel_size, padding=padding)
        for convolution in (self.hidden, self.gain, self.shift):
            nn.init.xavier_normal_(convolution.weight, _START_GAIN)
            assert convolution.bias is not None
            nn.init.zeros_(convolution.bias)

    def normalize(self, x: Tensor, condition: Tensor | None) -> Tensor:
        mask = mask_for("spade", x, condition)
        hidden = F.relu(self.hidden(mask.to(self.hidden.weight.dtype)))
        normalized: Tensor = (1 + self.gain(hidden)) * self.norm(x) + self.shift(hidden)
        return normalized.to(x.dtype)

"""Region normalization: normalizes the hole and the known region of a map by their own moments."""

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from lit_an.errors import InputError
from lit_an.norms.base import ConditionKind, Norm2d, mask_for
from lit_an.norms.registry import register_norm
from lit_an.tensors.precision import without_autocast

Statistics = Literal["image", "batch"]


class _RegionMoments(nn.Module):
    """Normalizes two regions of a map separately; their moments come from each image or from the batch.

    Moments of the batch have running averages for each region, as in batch normalization. At evaluation they are used,
    so that the result for an image does not depend on the other images. A region without a position in a batch does
    not change its averages.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, num_features: int, *, statistics: Statistics, eps: float, momentum: float) -> None:
        super().__init__()
        if statistics not in ("image", "batch"):
            raise InputError(f"region normalization: statistics must be 'image' or 'batch', got {statistics!r}")
        self.statistics, self.eps, self.momentum = statistics, eps, momentum
        if statistics == "batch":  # (in the hole, outside)
            self.register_buffer("running_mean", torch.zeros(2, num_features))
            self.register_buffer("running_var", torch.ones(2, num_features))

    def forward(self, x: Tensor, hole: Tensor, weight: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
        """Normalizes.

        Args:
            x: (B, C, H, W), float32 or better.
            hole: (B, 1, H, W), bool.
            weight, bias: (2, C), gain and shift in the hole and outside; None is 1 and 0.
        """
        if self.statistics == "batch" and not self.training:
            mean, var = self.running_mean[:, None], self.running_var[:, None]  # (2, 1, C)
            centered = x - _per_region(hole, mean)
        else:
            mean = self._means(x, hole)
            centered = x - _per_region(hole, mean)
            # After the mean is gone: what E x² − μ² leaves of a flat region is noise.
            var = self._means(centered.square(), hole)
            if self.statistics == "batch":
                self._remember(hole, mean, var)
        scale = (var + self.eps).rsqrt()
        if weight is None or bias is None:
            return centered * _per_region(hole, scale)
        return torch.addcmul(_per_region(hole, bias[:, None]), centered, _per_region(hole, scale * weight[:, None]))

    def _means(self, x: Tensor, hole: Tensor) -> Tensor:
        """(2, B or 1, C): the means in the hole and outside; 0 of a region without a position."""
        regions = torch.cat([hole, ~hole], 1).flatten(2).to(x.dtype)  # (B, 2, L)
        totals, counts = (x.flatten(2) @ regions.transpose(1, 2)).permute(2, 0, 1), regions.sum(2).t()[..., None]
        if self.statistics == "batch":
            totals, counts = totals.sum(1, keepdim=True), counts.sum(1, keepdim=True)
        return totals / counts.clamp_min(1)

    @torch.no_grad()
    def _remember(self, hole: Tensor, mean: Tensor, var: Tensor) -> None:
        in_hole = hole.sum()
        count = torch.stack([in_hole, hole.numel() - in_hole])[:, None]
        unbiased = var[:, 0] * count / (count - 1).clamp_min(1)
        share = (self.momentum * (count > 0)).to(self.running_mean)
        self.running_mean.lerp_(mean[:, 0].to(self.running_mean), share)
        self.running_var.lerp_(unbiased.to(self.running_var), share)

    def extra_repr(self) -> str:
        return f"statistics={self.statistics!r}, eps={self.eps}"


def _per_region(hole: Tensor, values: Tensor) -> Tensor:
    """(2, B or 1, C), values in the hole and outside, to each position: (B, C, H, W)."""
    return torch.where(hole, values[0, :, :, None, None], values[1, :, :, None, None])


@register_norm("region_batch")
class RegionNorm2d(Norm2d):
    """Basic region normalization (RN-B): hole and known region by moments of their own (arXiv 1911.10375).

    Each region has its own gains and shifts too.

    The condition is the mask of the hole, resized to the map by nearest neighbor, as published. A region of one
    position becomes its shift. Without a hole the layer is instance normalization.

    Args:
        num_features: C, channels.
        statistics: moments of each ``image``, which is the paper's equation, or of the ``batch``, as the published
            code has it, with running ones at evaluation; batches are not synchronized over devices.
        eps: > 0, added to the variance.
        momentum: share of the newest batch in the running statistics, 0 to 1.
        affine: learn a gain and a shift per region and channel.

    Raises:
        InputError: at forward, no mask (B, 1, H', W').

    Source: Yu et al., "Region normalization for image inpainting", AAAI 2020 (arXiv 1911.10375), section 3, where it
    is instance normalization if there is one region.
    Differs: from the published code, which takes moments of the batch at evaluation too, so that an image's result
    depends on its companions, adds both regions' shifts at every position, and eps to the variance times the
    region's share.

    Example:
        >>> mask = torch.zeros(1, 1, 8, 8)
        >>> mask[..., :4, :] = 1
        >>> normalized = RegionNorm2d(2)(torch.rand(1, 2, 4, 4) + 9 * mask[..., ::2, ::2], mask)
        >>> bool(normalized[..., :2, :].mean().abs() < 1e-3)
        True
    """

    condition_kind: ClassVar[ConditionKind] = "mask"
    paper: ClassVar[str] = "1911.10375"

    def __init__(
        self,
        num_features: int,
        *,
        statistics: Statistics = "image",
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
    ) -> None:
        super().__init__(num_features, eps=eps, momentum=momentum)
        self.moments = _RegionMoments(num_features, statistics=statistics, eps=eps, momentum=momentum)
        self.weight = nn.Parameter(torch.ones(2, num_features)) if affine else None  # (in the hole, outside)
        self.bias = nn.Parameter(torch.zeros(2, num_features)) if affine else None

    def normalize(self, x: Tensor, condition: Tensor | None) -> Tensor:
        hole = mask_for("region_batch", x, condition) > 0.5
        with without_autocast(x):
            return self.moments(_precise(x), hole, self.weight, self.bias).to(x.dtype)


@register_norm("region_learned")
class LearnedRegionNorm2d(Norm2d):
    """Learned region normalization (RN-L): it detects the damaged region itself (arXiv 1911.10375).

    The mean and the maximum over the channels make, by a convolution, the response of each position; where that is
    at least ``threshold`` is one region, the rest the other. The response also makes a gain and a shift for each
    position, shared by the channels. The norm ignores its condition. It is for layers at which part of the hole has
    been filled, so that the mask no longer holds.

    Args:
        num_features: C, channels.
        threshold: responses from here on make the first region, 0 to 1; 0.8 in the paper.
        kernel_size: of the three convolutions, odd, ≥ 1; 7 as published.
        statistics: moments of each ``image``, which is the paper's equation, or of the ``batch``, as the published
            code has it, with running ones at evaluation; batches are not synchronized over devices.
        eps: > 0, added to the variance.
        momentum: share of the newest batch in the running statistics, 0 to 1.

    Raises:
        InputError: an argument out of range.

    Source: Yu et al., "Region normalization for image inpainting", AAAI 2020 (arXiv 1911.10375), section 3; the
    sizes and the start of the convolutions are the authors' code's. The threshold passes no gradient; the convolution
    that makes the response learns through gain and shift.
    Differs: from the published code as ``region_batch`` does.

    Example:
        >>> LearnedRegionNorm2d(8)(torch.randn(2, 8, 16, 16)).shape
        torch.Size([2, 8, 16, 16])
    """

    paper: ClassVar[str] = "1911.10375"

    def __init__(
        self,
        num_features: int,
        *,
        threshold: float = 0.8,
        kernel_size: int = 7,
        statistics: Statistics = "image",
        eps: float = 1e-5,
        momentum: float = 0.1,
    ) -> None:
        super().__init__(num_features, eps=eps, momentum=momentum)
        if not 0 <= threshold <= 1:
            raise InputError(f"norm 'region_learned': threshold must be between 0 and 1, got {threshold}")
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise InputError(f"norm 'region_learned': kernel_size must be odd and at least 1, got {kernel_size}")
        self.threshold = threshold
        self.moments = _RegionMoments(num_features, statistics=statistics, eps=eps, momentum=momentum)
        self.response = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2, bias=False)
        self.gain = nn.Conv2d(1, 1, kernel_size, padding=kernel_size // 2)
        self.shift = nn.Conv2d(1, 1, kernel_size, padding=kernel_size // 2)

    def normalize(self, x: Tensor, condition: Tensor | None) -> Tensor:
        with without_autocast(x):
            precise = _precise(x)
            response = self.detect(precise)
            normalized = self.moments(precise, response.detach() >= self.threshold)
            normalized = normalized * (1 + self.gain(response)) + self.shift(response)
        return normalized.to(x.dtype)

    def detect(self, x: Tensor) -> Tensor:
        """Features (B, C, H, W) to the response (B, 1, H, W), 0 to 1."""
        pooled = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)
        return torch.sigmoid(self.response(pooled.to(self.response.weight.dtype)))

    def extra_repr(self) -> str:
        return f"{self.num_features}, threshold={self.threshold}"


def _precise(x: Tensor) -> Tensor:
    """At least float32: a mean over many positions, and the differences to it, are lost on half precision."""
    return x if x.dtype == torch.float64 else x.float()

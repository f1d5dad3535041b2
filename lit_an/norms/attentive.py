"""Attentive normalization as a layer: ``AttentiveNorm2d`` and the ``SemanticLayout`` inside it."""

import torch
from torch import Tensor, nn

import lit_an.norms.functional as AN
from lit_an.errors import InputError
from lit_an.norms.base import Norm2d
from lit_an.norms.registry import register_norm


class SemanticLayout(nn.Module):
    """Assigns each position of a feature map softly to N learned regions ("semantic entities").

    The logits are 1×1 filters of the input: learned ones (``entities``), and in training, weighted by the learned
    ``sampling_scale``, filters made from the image's own features at N random salient positions (self-sampling),
    which keep a filter from dying. At evaluation the layout depends on the input alone.

    Args:
        num_features: C, channels of the input.
        num_regions: N, regions, ≥ 1; 16 in the paper.
        temperature: factor on the logits, > 0: larger is sharper. The paper's 0.1 fits 256 channels; see the docs
            page on the temperature for narrow networks.
        self_sampling: use the self-sampling branch in training.

    Source: section 3.2; ``entities`` starts from N(0, 1), ``sampling_scale`` at 0.1, as published.
    Differs: positions are sampled per image, as the paper says (the published code shares them over a batch).

    Example:
        >>> layout = SemanticLayout(8, num_regions=4)(torch.randn(2, 8, 16, 16))
        >>> layout.shape, bool(torch.allclose(layout.sum(1), torch.ones(2, 16, 16)))
        (torch.Size([2, 4, 16, 16]), True)
    """

    def __init__(
        self, num_features: int, num_regions: int = 16, temperature: float = 0.1, self_sampling: bool = True
    ) -> None:
        super().__init__()
        if num_regions < 1:
            raise InputError(f"SemanticLayout: num_regions must be at least 1, got {num_regions}")
        if not temperature > 0:
            raise InputError(f"SemanticLayout: temperature must be greater than 0, got {temperature}")
        self.num_regions, self.temperature, self.self_sampling = num_regions, temperature, self_sampling
        self.entities = nn.Parameter(torch.randn(num_regions, num_features))
        if self_sampling:
            width = max(1, num_features // 8)
            self.key = nn.Conv2d(num_features, width, 1)
            self.query = nn.Conv2d(num_features, width, 1)
            self.sampling_scale = nn.Parameter(torch.full((num_regions,), 0.1))

    def forward(self, x: Tensor, offset: Tensor | None = None) -> Tensor:
        """The layout of a feature map.

        Args:
            x: (B, C, H, W), features; with an offset, centred ones (see ``functional.center``).
            offset: (B, C, 1, 1), the channel means that were taken out of ``x``, or None if none were.

        Returns:
            layout: (B, N, H, W), float32 or better, ≥ 0, sums to 1 over N; soft region membership.

        Raises:
            InputError: self-sampling needs more positions than the map has.
        """
        with torch.autocast(x.device.type, enabled=False):
            if offset is None:
                x, offset = AN.center(x)
            filters, constants = self.entities[None], None
            if self.self_sampling and self.training:
                filters, constants = self._self_sampled(x, offset)
            return AN.semantic_layout(x, offset, filters, constants, self.temperature)

    def _self_sampled(self, centred: Tensor, offset: Tensor) -> tuple[Tensor, Tensor]:
        """Entity filters with the self-sampled ones added, (B, N, C), and their constants, (B, N)."""
        assert self.key.bias is not None
        assert self.query.bias is not None
        key_weight, query_weight = self.key.weight.flatten(1), self.query.weight.flatten(1)
        # k(x) = W_k (x − offset) + (W_k offset + b_k)
        key_bias = (key_weight @ offset.flatten(2)).transpose(1, 2) + self.key.bias  # (B, 1, K)
        keys = AN.salient_keys(centred, self.num_regions, key_weight, key_bias)
        filters, constants = AN.sampled_filters(keys, query_weight, self.query.bias)
        scale = self.sampling_scale
        return self.entities + scale[:, None] * filters, scale * constants

    def extra_repr(self) -> str:
        return f"num_regions={self.num_regions}, temperature={self.temperature}, self_sampling={self.self_sampling}"


@register_norm("attentive")
class AttentiveNorm2d(Norm2d):
    """Attentive normalization: x + ρ · (each soft region of W_v x normalized by its own moments).

    ρ (``residual_scale``) starts at 0, so the layer begins as the identity. Put it between a convolution and its
    activation. Add ``penalty()`` to the loss (weight 1e-3 in the paper).

    Args:
        num_features: C, channels.
        num_regions: N, soft regions, ≥ 1.
        temperature: factor on the layout's logits, > 0; larger is sharper.
        self_sampling: let the layout sample the image itself in training.
        affine: learn a gain and a shift for each region and channel (the paper's inpainting network does not).
        moments: ``soft``, the moments of the region (the paper's text), or ``masked``, those of the published code.
        eps: > 0, added to the variance.

    Raises:
        InputError: an argument out of range; at forward, another number of channels.

    Source: Wang et al., CVPR 2020, sections 3.2 to 3.4.
    Differs: the value projection has no bias with soft moments, which remove any constant per channel.

    Example:
        >>> norm = AttentiveNorm2d(8)
        >>> x = torch.randn(2, 8, 16, 16)
        >>> torch.equal(norm(x), x)  # ρ = 0 at the start
        True
    """

    def __init__(
        self,
        num_features: int,
        num_regions: int = 16,
        temperature: float = 0.1,
        self_sampling: bool = True,
        affine: bool = False,
        moments: AN.Moments = "soft",
        eps: float = 1e-5,
    ) -> None:
        super().__init__(num_features)
        if moments not in ("soft", "masked"):
            raise InputError(f"AttentiveNorm2d: moments must be 'soft' or 'masked', got {moments!r}")
        self.moments, self.eps = moments, eps
        self.layout = SemanticLayout(num_features, num_regions, temperature, self_sampling)
        self.value = nn.Conv2d(num_features, num_features, 1, bias=moments == "masked")
        self.residual_scale = nn.Parameter(torch.zeros(()))
        shape = (num_regions, num_features)
        self.weight = nn.Parameter(torch.ones(shape)) if affine else None
        self.bias = nn.Parameter(torch.zeros(shape)) if affine else None

    def normalize(self, x: Tensor, condition: Tensor | None) -> Tensor:
        centred, offset = AN.center(x)
        layout = self.layout(centred, offset)
        # Soft moments do not see an offset, and without it the projection rounds less.
        value = self.value(centred if self.moments == "soft" else x)
        normalized = AN.regional_normalize(value, layout, self.weight, self.bias, self.moments, self.eps)
        return x + self.residual_scale.to(x.dtype) * normalized.to(x.dtype)

    def penalty(self) -> Tensor:
        """‖W Wᵀ − I‖²_F of the layout's entity filters: a scalar ≥ 0 that pulls regions apart."""
        return AN.orthogonality_penalty(self.layout.entities)

    def extra_repr(self) -> str:
        return f"{self.num_features}, affine={self.weight is not None}, moments={self.moments!r}, eps={self.eps}"

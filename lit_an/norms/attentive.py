"""Attentive normalization as a layer: ``AttentiveNorm2d`` and the ``SemanticLayout`` inside it."""

import torch
from torch import Tensor, nn

import lit_an.norms.functional as AN
import lit_an.norms.fused as fused
from lit_an.errors import InputError
from lit_an.norms.base import Norm2d
from lit_an.norms.registry import register_norm
from lit_an.norms.self_sampling import sampled_layout


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

    def forward(self, x: Tensor) -> Tensor:
        """The layout of a feature map.

        Args:
            x: (B, C, H, W), features.

        Returns:
            layout: (B, N, H, W), float32 or better, ≥ 0, sums to 1 over N; soft region membership.

        Raises:
            InputError: self-sampling needs more positions than the map has.
        """
        with torch.autocast(x.device.type, enabled=False):
            x, filters, constants = self.filters(x)
            return AN.semantic_layout(*AN.center(x), filters, constants, self.temperature)

    def filters(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """The 1×1 filters that make the logits of a feature map, drawn anew in training.

        Args:
            x: (B, C, H, W), features.

        Returns:
            The map to go on with, which is ``x``, filters (1, N, C) or, with self-sampling, (B, N, C), and constants
            (B, N) or None.

        Raises:
            InputError: self-sampling needs more positions than the map has.
        """
        if not (self.self_sampling and self.training):
            return x, self.entities[None], None
        with torch.autocast(x.device.type, enabled=False):
            assert self.key.bias is not None
            assert self.query.bias is not None
            height, width = x.shape[2:]
            windows = AN.salient_windows(len(x), height, width, self.num_regions, x.device)
            key, query = (self.key.weight.flatten(1), self.key.bias), (self.query.weight.flatten(1), self.query.bias)
            return sampled_layout(x, windows, self.entities, self.sampling_scale, *key, *query)

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
        # Somebody who hooked the layout wants to see it, and the fast path never forms it as one tensor; a compiler
        # wants to see everything, and plans passes and memory itself.
        unobserved = not self.layout._forward_hooks and not torch.compiler.is_compiling()
        if self.moments == "soft" and unobserved:
            x, filters, constants = self.layout.filters(x)
            scalars = (self.layout.temperature, self.residual_scale, self.weight, self.bias, self.eps)
            return fused.attentive_normalize(x, self.value.weight.flatten(1), filters, constants, *scalars)
        layout = self.layout(x)
        # Soft moments do not see an offset, and without it the projection rounds less.
        projected = AN.center(x)[0] if self.moments == "soft" else x
        value = self.value(projected.to(self.value.weight.dtype))
        normalized = AN.regional_normalize(value, layout, self.weight, self.bias, self.moments, self.eps)
        return x + self.residual_scale.to(x.dtype) * normalized.to(x.dtype)

    def penalty(self) -> Tensor:
        """‖W Wᵀ − I‖²_F of the layout's entity filters: a scalar ≥ 0 that pulls regions apart."""
        return AN.orthogonality_penalty(self.layout.entities)

    def extra_repr(self) -> str:
        return f"{self.num_features}, affine={self.weight is not None}, moments={self.moments!r}, eps={self.eps}"

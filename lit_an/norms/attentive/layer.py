"""Attentive normalization as a layer."""

from typing import ClassVar

import torch
from torch import Tensor, nn

import lit_an.norms.attentive.dispatch as dispatch
import lit_an.norms.attentive.functional as AN
from lit_an.errors import InputError
from lit_an.norms.attentive.orthogonality import Orthogonality, orthogonality_penalty
from lit_an.norms.attentive.semantic_layout import SemanticLayout
from lit_an.norms.base import Norm2d, is_hooked, is_plain, pointwise
from lit_an.norms.registry import register_norm


@register_norm("attentive")
class AttentiveNorm2d(Norm2d):
    """Attentive normalization: x + ρ · (each soft region of W_v x normalized by its own moments).

    ρ (``residual_scale``) starts at 0, so the layer begins as the identity. Put it between a convolution and its
    activation. Add ``penalty()`` to the loss (weight 1e-3 in the paper).

    Args:
        num_features: C, channels.
        num_regions: N, soft regions, ≥ 1.
        temperature: factor on the layout's logits, > 0; larger is sharper; None takes 1.6 / √C.
        self_sampling: let the layout sample the image itself in training.
        orthogonality: form of the penalty: ``unit_rows``, ``frobenius`` or ``published``; see ``SemanticLayout``.
        centered: take the mean over the map out of the layout's logits; see ``SemanticLayout``.
        affine: learn a gain and a shift for each region and channel (the paper's inpainting network does not).
        moments: ``soft``, the moments of the region (the paper's text), or ``masked``, those of the published code.
        eps: > 0, added to the variance.

    Raises:
        InputError: an argument out of range; at forward, another number of channels.

    Attributes:
        is_residual: True; the layer adds to its input by itself.

    Source: Wang et al., CVPR 2020, sections 3.2 to 3.4.
    Differs: the value projection has no bias with soft moments, which remove any constant per channel.

    Example:
        >>> norm = AttentiveNorm2d(8)
        >>> x = torch.randn(2, 8, 16, 16)
        >>> torch.equal(norm(x), x)  # ρ = 0 at the start
        True
    """

    is_residual: ClassVar[bool] = True

    def __init__(
        self,
        num_features: int,
        *,
        num_regions: int = 16,
        temperature: float | None = None,
        self_sampling: bool = True,
        orthogonality: Orthogonality = "unit_rows",
        centered: bool = False,
        affine: bool = False,
        moments: AN.Moments = "soft",
        eps: float = 1e-5,
    ) -> None:
        super().__init__(num_features, eps=eps)
        if moments not in ("soft", "masked"):
            raise InputError(f"AttentiveNorm2d: moments must be 'soft' or 'masked', got {moments!r}")
        self.moments, self.eps = moments, eps
        self.layout = SemanticLayout(
            num_features,
            num_regions=num_regions,
            temperature=temperature,
            self_sampling=self_sampling,
            orthogonality=orthogonality,
            centered=centered,
        )
        self.value = pointwise(num_features, num_features, bias=moments == "masked")
        self.residual_scale = nn.Parameter(torch.zeros(()))
        shape = (num_regions, num_features)
        self.weight = nn.Parameter(torch.ones(shape)) if affine else None
        self.bias = nn.Parameter(torch.zeros(shape)) if affine else None

    def normalize(self, x: Tensor, condition: Tensor | None) -> Tensor:
        if self.moments == "masked" or self._calls_parts():
            return self._by_parts(x)
        going_on, filters, constants = self.layout.filters(x)
        scalars = (self.layout.temperature, self.residual_scale, self.weight, self.bias, self.eps)
        y = dispatch.attentive_normalize(going_on, self.value.weight.flatten(1), filters, constants, *scalars)
        if self.layout.is_watched:
            self.layout.watch(x, filters, constants)
        return y

    def _by_parts(self, x: Tensor) -> Tensor:
        """The layout and the value projection are called as modules, one after the other."""
        layout = self.layout(x)
        # Soft moments do not see an offset, and without it the projection rounds less.
        projected = AN.center(x)[0] if self.moments == "soft" else x
        value = self.value(projected.to(self.residual_scale.dtype))
        normalized = AN.regional_normalize(value, layout, self.weight, self.bias, self.moments, self.eps)
        return x + self.residual_scale.to(x.dtype) * normalized.to(x.dtype)

    def _calls_parts(self) -> bool:
        """Whether somebody hooked, wrapped or replaced a part, so that its weights do not say what calling it does."""
        layout = self.layout
        as_made = type(layout).forward is SemanticLayout.forward and not is_hooked(layout)
        return not (as_made and is_plain(self.value) and layout.can_be_filters())

    def penalty(self) -> Tensor:
        """How far the layout's entity filters are from orthogonal ones: a scalar, see ``orthogonality_penalty``."""
        return orthogonality_penalty(self.layout.entities, self.layout.orthogonality)

    def extra_repr(self) -> str:
        return f"{self.num_features}, affine={self.weight is not None}, moments={self.moments!r}, eps={self.eps}"

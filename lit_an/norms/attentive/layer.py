"""Attentive normalization as a layer."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

import lit_an.norms.attentive.dispatch as dispatch
import lit_an.norms.attentive.functional as AN
from lit_an.errors import InputError
from lit_an.norms.attentive.orthogonality import Orthogonality, orthogonality_penalty
from lit_an.norms.attentive.semantic_layout import SemanticLayout
from lit_an.norms.base import ConditionKind, Norm2d, is_called_as, is_pointwise, pointwise, residual_scale
from lit_an.norms.registry import register_norm
from lit_an.tensors.precision import without_autocast


@register_norm("attentive")
class AttentiveNorm2d(Norm2d):
    """Attentive normalization: x + ρ · (each soft region of W_v x by its own moments), ρ from 0 (arXiv 2004.03828).

    ρ (``residual_scale``) starts at 0 as published, so the layer begins as the identity. Put it between a convolution
    and its activation. Add ``penalty()`` to the loss (weight 1e-3 in the paper).

    Args:
        num_features: C, channels.
        num_regions: N, soft regions, ≥ 1.
        temperature: factor on the layout's logits, > 0; larger is sharper; None takes 1.6 / √C.
        self_sampling: let the layout sample the image itself in training.
        orthogonality: form of the penalty: ``unit_rows``, ``frobenius`` or ``published``; see ``SemanticLayout``.
        centered: take the mean over the map out of the layout's logits; see ``SemanticLayout``.
        affine: learn a gain and a shift for each region and channel (the paper's inpainting network does not).
        class_affine: add to gain and shift of each region and channel a linear function of the condition, such as the
            class, which is 0 at the start; the norm then requires a vector.
        condition_features: D, width of that vector; a network passes its own.
        value_projection: normalize W_v x; if off, x itself, by products with the identity and at the same cost.
        moments: ``soft``, the moments of the region (the paper's text), or ``masked``, those of the published code.
        residual_start: ρ at the start; with 0 a short training hardly reaches a layer that matters.
        eps: > 0, added to the variance.

    Raises:
        InputError: an argument out of range, or ``class_affine`` without ``condition_features``; at forward, another
            number of channels, or with ``class_affine`` no condition (B, D).

    Attributes:
        is_residual: True; the layer adds to its input by itself.

    Source: Wang et al., CVPR 2020 (arXiv 2004.03828), sections 3.2 to 3.4.
    Differs: the value projection has no bias with soft moments, which remove any constant per channel;
    ``class_affine``, ``residual_start`` and a layer without value projection are ours.

    Example:
        >>> norm = AttentiveNorm2d(8)
        >>> x = torch.randn(2, 8, 16, 16)
        >>> torch.equal(norm(x), x)  # ρ = 0 at the start
        True
    """

    is_residual: ClassVar[bool] = True
    condition_arguments: ClassVar[Mapping[str, ConditionKind]] = {"class_affine": "vector"}
    paper: ClassVar[str] = "2004.03828"

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
        class_affine: bool = False,
        condition_features: int = 0,
        value_projection: bool = True,
        moments: AN.Moments = "soft",
        residual_start: float = 0.0,
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
        self.value = pointwise(num_features, num_features, bias=moments == "masked") if value_projection else None
        self.residual_scale = residual_scale(residual_start)
        shape = (num_regions, num_features)
        self.weight = nn.Parameter(torch.ones(shape)) if affine else None
        self.bias = nn.Parameter(torch.zeros(shape)) if affine else None
        self.gain: nn.Linear | None = None
        self.shift: nn.Linear | None = None
        if class_affine:
            if condition_features < 1:
                raise InputError(
                    "AttentiveNorm2d: class_affine needs a class vector and its width, condition_features=…, at least "
                    "1; a network with classes passes its own"
                )
            self.condition_kind = "vector"  # type: ignore[misc]  # of this one norm, not of the class
            self.gain, self.shift = (
                nn.Linear(condition_features, num_regions * num_features, bias=False) for _ in range(2)
            )
            nn.init.zeros_(self.gain.weight)
            nn.init.zeros_(self.shift.weight)

    def normalize(self, x: Tensor, condition: Tensor | None) -> Tensor:
        weight, bias = self._gain_and_shift(x, condition)
        if self.moments == "masked" or self._calls_parts():
            return self._by_parts(x, weight, bias)
        going_on, filters, constants = self.layout.filters(x)
        scalars = (self.layout.temperature, self.residual_scale, weight, bias, self.eps)
        projection = None if self.value is None else self.value.weight.flatten(1)
        y = dispatch.attentive_normalize(going_on, projection, filters, constants, *scalars)
        if self.layout.is_watched:
            self.layout.watch(x, filters, constants)
        return y

    def _gain_and_shift(self, x: Tensor, condition: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
        """(N, C) each, or (B, N, C) with a condition; None is 1 and 0."""
        if self.gain is None or self.shift is None:
            return self.weight, self.bias
        if condition is None or condition.shape != (x.shape[0], self.gain.in_features):
            given = "none" if condition is None else tuple(condition.shape)
            raise InputError(
                "AttentiveNorm2d with class_affine needs a condition of shape "
                f"({x.shape[0]}, {self.gain.in_features}), got {given}"
            )
        with without_autocast(x):
            vector = condition.to(self.gain.weight.dtype)
            shape = (-1, self.num_features)
            gain, shift = (part(vector).unflatten(1, shape) for part in (self.gain, self.shift))  # (B, N, C)
            return gain + (1 if self.weight is None else self.weight), shift if self.bias is None else shift + self.bias

    def _by_parts(self, x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
        """The layout and the value projection are called as modules, one after the other."""
        layout = self.layout(x)
        # Soft moments do not see an offset, and without it the projection rounds less.
        projected = AN.center(x)[0] if self.moments == "soft" else x
        value = projected if self.value is None else self.value(projected.to(self.residual_scale.dtype))
        normalized = AN.regional_normalize(value, layout, weight, bias, self.moments, self.eps)
        return x + self.residual_scale.to(x.dtype) * normalized.to(x.dtype)

    def _calls_parts(self) -> bool:
        """Whether somebody hooked, wrapped or replaced a part, so that its weights do not say what calling it does."""
        projects_as_made = self.value is None or is_pointwise(self.value)
        return not (is_called_as(self.layout, SemanticLayout) and projects_as_made and self.layout.can_be_filters())

    def penalty(self) -> Tensor:
        """How far the layout's entity filters are from orthogonal ones: a scalar, see ``orthogonality_penalty``."""
        return orthogonality_penalty(self.layout.entities, self.layout.orthogonality)

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, affine={self.weight is not None}, class_affine={self.gain is not None}, "
            f"value_projection={self.value is not None}, moments={self.moments!r}, eps={self.eps}"
        )

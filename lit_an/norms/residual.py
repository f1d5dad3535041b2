"""Any norm in the residual form of attentive normalization."""

from typing import ClassVar

from torch import Tensor, nn

from lit_an.norms.base import ConditionKind, Norm2d, pointwise, residual_scale
from lit_an.norms.registry import NORMS, MakeNorm
from lit_an.norms.weight_standardization import standardize_weight


class ResidualNorm2d(Norm2d):
    """x + ρ · norm(W_v x), ρ a learned scalar that starts at 0 unless told otherwise.

    This is attentive normalization with another norm in the place of the regional one. It makes a comparison fair: the
    norm alone replaces the features, and attentive normalization adds to them. The weight of W_v is standardized if the
    norm ``standardizes_convolutions``.

    Args:
        num_features: C, channels.
        norm: the norm of the C projected channels.
        residual_start: ρ at the start.

    Attributes:
        is_residual: True.

    Example:
        >>> import torch
        >>> x = torch.randn(2, 8, 4, 4)
        >>> torch.equal(ResidualNorm2d(8, norm=NORMS.create("instance", 8))(x), x)  # ρ = 0 at the start
        True
    """

    is_residual: ClassVar[bool] = True

    def __init__(self, num_features: int, *, norm: nn.Module, residual_start: float = 0.0) -> None:
        super().__init__(num_features)
        kind: ConditionKind = getattr(norm, "condition_kind", "none")
        self.condition_kind = kind  # type: ignore[misc]  # of this one norm, not of the class
        self.value = pointwise(num_features, num_features, bias=False)
        if getattr(norm, "standardizes_convolutions", False):
            standardize_weight(self.value)
        self.norm = norm
        self.residual_scale = residual_scale(residual_start)

    def normalize(self, x: Tensor, condition: Tensor | None) -> Tensor:
        normalized = self.norm(self.value(x), condition)
        return x + self.residual_scale.to(x.dtype) * normalized


def is_residual(name: str) -> bool:
    """Whether the norm called ``name`` adds to its input by itself."""
    return bool(getattr(NORMS.get(name), "is_residual", False))


def residual(make_norm: MakeNorm, residual_start: float) -> MakeNorm:
    """A factory of a norm in residual form.

    Args:
        make_norm: creates a norm that is not residual, for a number of channels.
        residual_start: ρ at the start.
    """
    return lambda num_features: ResidualNorm2d(
        num_features, norm=make_norm(num_features), residual_start=residual_start
    )

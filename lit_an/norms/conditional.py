"""Norms whose gain and shift come from a condition, such as a class."""

from typing import ClassVar

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm as spectrally_normalized

from lit_an.errors import InputError
from lit_an.norms.base import ConditionKind, Norm2d
from lit_an.norms.registry import register_norm

INITIALIZATIONS = {"zeros": nn.init.zeros_, "orthogonal": nn.init.orthogonal_}


class _Conditional(Norm2d):
    """(1 + gain(condition)) · norm(x) + shift(condition), gain and shift linear, by default 0 at the start."""

    condition_kind: ClassVar[ConditionKind] = "vector"

    def __init__(
        self,
        num_features: int,
        *,
        condition_features: int,
        norm: nn.BatchNorm2d | nn.InstanceNorm2d,
        initialization: str,
        spectral_norm: bool,
    ) -> None:
        super().__init__(num_features, eps=norm.eps, momentum=norm.momentum or 0.0)
        if condition_features < 1:
            raise InputError(
                f"{type(self).__name__} needs the width of its condition: pass condition_features=…, at least 1"
            )
        if initialization not in INITIALIZATIONS:
            raise InputError(
                f"{type(self).__name__}: initialization must be 'zeros' or 'orthogonal', got {initialization!r}"
            )
        if spectral_norm and initialization == "zeros":
            raise InputError(
                f"{type(self).__name__}: spectral_norm divides by a singular value, which zeros do not have; "
                f"take initialization='orthogonal'"
            )
        self.norm = norm
        self.gain, self.shift = (
            _linear(condition_features, num_features, initialization, spectral_norm) for _ in range(2)
        )

    def normalize(self, x: Tensor, condition: Tensor | None) -> Tensor:
        if condition is None or condition.dim() != 2 or condition.shape[1] != self.gain.in_features:
            given = "none" if condition is None else tuple(condition.shape)
            raise InputError(
                f"{type(self).__name__} needs a condition of shape (B, {self.gain.in_features}), got {given}"
            )
        # Not of the weight: reading one that is divided by its singular value iterates.
        vector = condition.to(next(self.gain.parameters()).dtype)
        gain, shift = self.gain(vector)[:, :, None, None], self.shift(vector)[:, :, None, None]
        return (1 + gain) * self.norm(x) + shift


def _linear(in_features: int, out_features: int, initialization: str, spectral_norm: bool) -> nn.Module:
    layer = nn.Linear(in_features, out_features, bias=False)
    INITIALIZATIONS[initialization](layer.weight)
    return spectrally_normalized(layer) if spectral_norm else layer


@register_norm("conditional_batch")
class ConditionalBatchNorm2d(_Conditional):
    """Batch normalization with gain and shift from a condition (Dumoulin et al., arXiv 1610.07629).

    With a one-hot class as the condition it is the class-conditional batch norm of SNGAN-projection and SAGAN.

    Args:
        num_features: C, channels.
        condition_features: D, width of the condition; a network passes its own.
        eps: > 0, added to the variance.
        momentum: share of the newest batch in the running statistics, 0 to 1.
        initialization: of gain and shift, ``zeros`` (SNGAN-projection, SAGAN) or ``orthogonal`` (BigGAN).
        spectral_norm: divide both by their largest singular values (BigGAN); not with ``zeros``.

    Example:
        >>> import torch
        >>> norm = ConditionalBatchNorm2d(8, condition_features=3)
        >>> norm(torch.randn(2, 8, 4, 4), torch.eye(3)[:2]).shape
        torch.Size([2, 8, 4, 4])
    """

    paper: ClassVar[str] = "1610.07629"

    def __init__(
        self,
        num_features: int,
        *,
        condition_features: int = 0,
        eps: float = 1e-5,
        momentum: float = 0.1,
        initialization: str = "zeros",
        spectral_norm: bool = False,
    ) -> None:
        super().__init__(
            num_features,
            condition_features=condition_features,
            norm=nn.BatchNorm2d(num_features, eps, momentum, affine=False),
            initialization=initialization,
            spectral_norm=spectral_norm,
        )


@register_norm("conditional_instance")
class ConditionalInstanceNorm2d(_Conditional):
    """Instance normalization with gain and shift from a condition: AdaIN by class (arXiv 1610.07629).

    Dumoulin et al.'s conditional instance normalization is what became adaptive instance normalization (AdaIN: Huang,
    Belongie, arXiv 1703.06868), with gain and shift from the class and not from a picture of a style.

    Args:
        num_features: C, channels.
        condition_features: D, width of the condition; a network passes its own.
        eps: > 0, added to the variance.
        initialization: of gain and shift, ``zeros`` or ``orthogonal``.
        spectral_norm: divide both by their largest singular values; not with ``zeros``.
    """

    paper: ClassVar[str] = "1610.07629"

    def __init__(
        self,
        num_features: int,
        *,
        condition_features: int = 0,
        eps: float = 1e-5,
        initialization: str = "zeros",
        spectral_norm: bool = False,
    ) -> None:
        super().__init__(
            num_features,
            condition_features=condition_features,
            norm=nn.InstanceNorm2d(num_features, eps),
            initialization=initialization,
            spectral_norm=spectral_norm,
        )

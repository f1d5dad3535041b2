"""PyTorch's norms with the interface ``forward(x, condition=None)``."""

from typing import ClassVar

from torch import Tensor, nn

from lit_an.errors import InputError
from lit_an.norms.base import Norm2d
from lit_an.norms.registry import register_norm


class _Wrapped(Norm2d):
    """A norm of PyTorch, as a submodule, so that ``convert_sync_batchnorm`` finds batch norms."""

    def __init__(self, num_features: int, norm: nn.Module, *, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__(num_features, eps=eps, momentum=momentum)
        self.norm = norm

    def normalize(self, x: Tensor, condition: Tensor | None) -> Tensor:
        normalized: Tensor = self.norm(x)
        return normalized


@register_norm("batch")
class BatchNorm2d(_Wrapped):
    """Batch normalization (Ioffe, Szegedy, arXiv 1502.03167), PyTorch's layer.

    Args:
        num_features: C, channels.
        eps: > 0, added to the variance.
        momentum: share of the newest batch in the running statistics, 0 to 1.
        affine: learn a gain and a shift per channel.
    """

    paper: ClassVar[str] = "1502.03167"

    def __init__(self, num_features: int, *, eps: float = 1e-5, momentum: float = 0.1, affine: bool = True) -> None:
        super().__init__(num_features, nn.BatchNorm2d(num_features, eps, momentum, affine), eps=eps, momentum=momentum)


@register_norm("instance")
class InstanceNorm2d(_Wrapped):
    """Instance normalization (Ulyanov et al., arXiv 1607.08022), PyTorch's layer.

    Args:
        num_features: C, channels.
        eps: > 0, added to the variance.
        affine: learn a gain and a shift per channel.
    """

    paper: ClassVar[str] = "1607.08022"

    def __init__(self, num_features: int, *, eps: float = 1e-5, affine: bool = True) -> None:
        super().__init__(num_features, nn.InstanceNorm2d(num_features, eps, affine=affine), eps=eps)


@register_norm("group")
class GroupNorm2d(_Wrapped):
    """Group normalization (Wu, He, arXiv 1803.08494), PyTorch's layer.

    Args:
        num_features: C, channels.
        num_groups: groups of channels, a divisor of C; C where C is smaller.
        eps: > 0, added to the variance.
        affine: learn a gain and a shift per channel.

    Raises:
        InputError: ``num_groups`` does not divide the channels.
    """

    paper: ClassVar[str] = "1803.08494"

    def __init__(self, num_features: int, *, num_groups: int = 32, eps: float = 1e-5, affine: bool = True) -> None:
        groups = min(num_groups, num_features)
        if groups < 1 or num_features % groups:
            raise InputError(f"{type(self).__name__}: num_groups={num_groups} must divide the {num_features} channels")
        super().__init__(num_features, nn.GroupNorm(groups, num_features, eps, affine), eps=eps)


@register_norm("layer")
class LayerNorm2d(_Wrapped):
    """Layer normalization over channels and positions together (Ba et al., arXiv 1607.06450).

    Args:
        num_features: C, channels.
        eps: > 0, added to the variance.
        affine: learn a gain and a shift per channel.
    """

    paper: ClassVar[str] = "1607.06450"

    def __init__(self, num_features: int, *, eps: float = 1e-5, affine: bool = True) -> None:
        super().__init__(num_features, nn.GroupNorm(1, num_features, eps, affine), eps=eps)


@register_norm("none")
class NoNorm(_Wrapped):
    """The identity, for an empty slot."""

    def __init__(self, num_features: int) -> None:
        super().__init__(num_features, nn.Identity())

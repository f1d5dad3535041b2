"""Weight standardization of convolutions, and the group norm that asks for it."""

from typing import ClassVar, TypeVar

from torch import Tensor, nn
from torch.nn.utils import parametrize

from lit_an.norms.registry import register_norm
from lit_an.norms.standard import GroupNorm2d
from lit_an.tensors.precision import at_least_float32, without_autocast

Convolution = TypeVar("Convolution", bound=nn.Module)


class WeightStandardization(nn.Module):
    """Parametrization of a convolution's weight: each filter less its mean, divided by its root of the sum of squares.

    A filter of unit norm keeps the variance of uncorrelated inputs.

    Args:
        eps: > 0, added to the sum of squares of a filter, which is about 1 at the start.

    Source: Qiao et al., "Micro-batch training with batch-channel normalization and weight standardization"
    (arXiv 1903.10520), the section on weight standardization.
    Differs: the paper's weight is larger by the root of the fan-in. A norm directly behind the convolution takes that
    factor out; in a sum with a skip connection, which has none, values would grow from block to block. Brock et al.
    (arXiv 2101.08692) scale it so too.

    Example:
        >>> import torch
        >>> weight = WeightStandardization()(torch.randn(4, 3, 3, 3)).flatten(1)
        >>> bool(weight.mean(1).abs().max() < 1e-6), bool((weight.norm(dim=1) - 1).abs().max() < 1e-4)
        (True, True)
    """

    def __init__(self, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps

    def forward(self, weight: Tensor) -> Tensor:
        """A weight (D, C, …), a filter of each output, to one of the same shape."""
        with without_autocast(weight):
            wide = at_least_float32(weight)
            dims = tuple(range(1, weight.dim()))
            centered = wide - wide.mean(dims, keepdim=True)
            return (centered * (centered.square().sum(dims, keepdim=True) + self.eps).rsqrt()).to(weight.dtype)


def standardize_weight(convolution: Convolution) -> Convolution:
    """Standardizes the weight of a convolution from now on, in place; the raw weight is what it learns.

    Args:
        convolution: has a ``weight`` (D, C, …).

    Returns:
        The same module.

    Example:
        >>> convolution = standardize_weight(nn.Conv2d(3, 8, 3))
        >>> [name for name, _ in convolution.named_parameters()]
        ['bias', 'parametrizations.weight.original']
    """
    parametrize.register_parametrization(convolution, "weight", WeightStandardization())
    return convolution


@register_norm("standardized_group")
class StandardizedGroupNorm2d(GroupNorm2d):
    """Group normalization behind convolutions of standardized weights (Qiao et al., arXiv 1903.10520).

    The norm itself is ``group``. Networks of ``lit_an`` read ``standardizes_convolutions`` and standardize the
    convolutions of the blocks that have this norm; ``ResidualNorm2d`` does so with its value projection. In other
    networks call ``standardize_weight`` on each convolution.

    Args:
        num_features: C, channels.
        num_groups: see ``GroupNorm2d``.
        eps: likewise.
        affine: likewise.

    Attributes:
        standardizes_convolutions: True.

    Source: Qiao et al., "Micro-batch training with batch-channel normalization and weight standardization"
    (arXiv 1903.10520), the section on weight standardization.
    Differs: as ``WeightStandardization``. With spectral normalization the standardized weight is divided by its largest
    singular value: its filters still have a mean of 0 and equal norms, but norms below 1.
    """

    paper: ClassVar[str] = "1903.10520"
    standardizes_convolutions: ClassVar[bool] = True

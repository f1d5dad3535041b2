"""3×3 convolutions that double or halve the map, at a quarter of the operations.

Doubling by nearest neighbors and averaging 2×2 positions are box filters beside a change of the grid. Box filters
commute with convolutions, so that the convolution can work on the small grid:

- ×2 nearest, then a convolution, is a transposed convolution of stride 2 with the same 9 weights, then a sum over 2×2
  neighbors. Both need 9 products per position of the small map, where the plain order needs 36.
- A convolution, then a 2×2 average, is an average over 2×2 neighbors, then a convolution of stride 2.

With a border of zeros this is exact: outputs and gradients differ in rounding only. A single 4×4 convolution of stride
2 is exact too, but needs 16 products, and a kernel of its own to be formed in each step.

Where channels are many and positions few, reading the weights takes longer than the products. PyTorch's convolutions
copy weights into layouts of their own; there, the same sums are written as one matrix product that reads the weights of
a channels-last network where they are.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Resampling = Literal["none", "double", "halve"]

# A matrix product is faster from this many weights of one kernel position (input times output channels) per position of
# the small map on. From benchmarks/resampling.py on a CPU, where the size of the batch hardly matters. Transposed
# convolutions lose most to the copies of their weights.
MATRIX_FROM: dict[Resampling, int] = {"none": 5000, "double": 1500, "halve": 5000}


def doubled_convolution(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The 3×3 convolution, with a border of zeros, of a map doubled by nearest neighbors.

    Args:
        x: (B, C, H, W).
        weight: (D, C, 3, 3).
        bias: (D,), or None.

    Returns:
        (B, D, 2H, 2W).

    Example:
        >>> doubled_convolution(torch.ones(1, 1, 2, 2), torch.ones(1, 1, 3, 3))[0, 0, 0].tolist()
        [4.0, 6.0, 6.0, 4.0]
    """
    if _prefers_matrix("double", x, weight, x.shape[2] * x.shape[3]):
        return _matrix_doubled_convolution(x, weight, bias)
    # Of the sum over four neighbors, each has a quarter of the bias.
    quarter = None if bias is None else bias / 4
    spread = F.conv_transpose2d(x, weight.flip(2, 3).transpose(0, 1), quarter, stride=2)  # (B, D, 2H + 1, 2W + 1)
    return F.avg_pool2d(spread, 2, stride=1, divisor_override=1)


def halved_convolution(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The 2×2 average of the 3×3 convolution, with a border of zeros, of a map.

    Args:
        x: (B, C, H, W); of an odd side, the average leaves out the last position.
        weight: (D, C, 3, 3).
        bias: (D,), or None.

    Returns:
        (B, D, ⌊H / 2⌋, ⌊W / 2⌋).

    Example:
        >>> halved_convolution(torch.ones(1, 1, 4, 4), torch.ones(1, 1, 3, 3)).flatten().tolist()
        [6.25, 6.25, 6.25, 6.25]
    """
    averaged = F.avg_pool2d(x, 2, stride=1, padding=1)  # (B, C, H + 1, W + 1)
    if _prefers_matrix("halve", x, weight, (x.shape[2] // 2) * (x.shape[3] // 2)):
        return _matrix_convolution(averaged, weight, bias, stride=2)
    return F.conv2d(averaged, weight, bias, stride=2)


def same_convolution(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The 3×3 convolution, with a border of zeros, of a map.

    Args:
        x: (B, C, H, W).
        weight: (D, C, 3, 3).
        bias: (D,), or None.

    Returns:
        (B, D, H, W).

    Example:
        >>> same_convolution(torch.ones(1, 1, 2, 2), torch.ones(1, 1, 3, 3)).flatten().tolist()
        [4.0, 4.0, 4.0, 4.0]
    """
    if _prefers_matrix("none", x, weight, x.shape[2] * x.shape[3]):
        return _matrix_convolution(F.pad(x, (1, 1, 1, 1)), weight, bias, stride=1)
    return F.conv2d(x, weight, bias, padding=1)


class ResamplingConv2d(nn.Conv2d):
    """A 3×3 convolution that keeps the map, doubles it first, or halves it afterwards; weights as in ``nn.Conv2d``.

    The form of the computation is a function of shapes and device alone, and not of the batch size, so that it is the
    same on all ranks and in a resumed run. An exported graph has the plain operators, which every runtime knows.

    Args:
        in_features, out_features: channels.
        resampling: ``double``, ×2 nearest before the convolution; ``halve``, a 2×2 average after it; or ``none``.
        padding_mode: what lies beyond the border, as in ``nn.Conv2d``; only ``zeros`` has the cheap forms.

    Example:
        >>> ResamplingConv2d(3, 5, "double")(torch.zeros(1, 3, 4, 4)).shape
        torch.Size([1, 5, 8, 8])
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        resampling: Resampling = "none",
        padding_mode: Literal["zeros", "replicate"] = "zeros",
    ) -> None:
        super().__init__(in_features, out_features, 3, padding=1, padding_mode=padding_mode)
        self.resampling = resampling

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_features, H, W) to (B, out_features, H, W), doubled or halved."""
        if self.padding_mode != "zeros" or torch.compiler.is_exporting() or torch.jit.is_tracing():
            x = F.interpolate(x, scale_factor=2.0, mode="nearest") if self.resampling == "double" else x
            x = self._conv_forward(x, self.weight, self.bias)
            return F.avg_pool2d(x, 2) if self.resampling == "halve" else x
        return _CHEAP[self.resampling](x, self.weight, self.bias)

    def extra_repr(self) -> str:
        """As of ``nn.Conv2d``, and the resampling."""
        return f"{super().extra_repr()}, resampling={self.resampling}"


_CHEAP = {"none": same_convolution, "double": doubled_convolution, "halve": halved_convolution}


def _prefers_matrix(resampling: Resampling, x: Tensor, weight: Tensor, positions: int) -> bool:
    # Not on other devices, where it is not measured.
    return x.device.type == "cpu" and weight.shape[0] * weight.shape[1] >= MATRIX_FROM[resampling] * positions


def _matrix_doubled_convolution(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """All nine products of every position, then their sums on the doubled map."""
    batch, channels, height, width = x.shape
    positions = x.permute(0, 2, 3, 1).reshape(-1, channels)
    matrix = weight.permute(0, 2, 3, 1).reshape(-1, channels)  # (D · 3 · 3, C)
    products = F.linear(positions, matrix).view(batch, height, width, -1, 3, 3)
    rows = _interleaved_sums(products.movedim(4, 0), 2)  # (B, 2H, W, D, 3)
    doubled = _interleaved_sums(rows.movedim(4, 0), 3)  # (B, 2H, 2W, D)
    if bias is not None:
        doubled = (doubled + bias).to(doubled.dtype)  # under autocast the bias alone is in float32
    return doubled.permute(0, 3, 1, 2)


def _interleaved_sums(products: Tensor, dim: int) -> Tensor:
    """Sums along one side of the doubled map, of which an even position 2i and an odd one see (i - 1, i, i + 1).

    Args:
        products: (3, …, N, …), with the first, middle and last weight of that side, the side at ``dim``.

    Returns:
        (…, 2N, …).
    """
    first, middle, last = products
    dim -= 1
    length = first.shape[dim]
    edge = torch.zeros_like(first.narrow(dim, 0, 1))
    before = torch.cat([edge, first.narrow(dim, 0, length - 1)], dim)
    after = torch.cat([last.narrow(dim, 1, length - 1), edge], dim)
    return torch.stack([before + middle + last, first + middle + after], dim + 1).flatten(dim, dim + 1)


def _matrix_convolution(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int) -> Tensor:
    """A 3×3 convolution without a border: the positions below each kernel side by side, times the weights."""
    patches = x.permute(0, 2, 3, 1).unfold(1, 3, stride).unfold(2, 3, stride)  # (B, H, W, C, 3, 3)
    batch, height, width = patches.shape[:3]
    rows = patches.permute(0, 1, 2, 4, 5, 3).reshape(batch * height * width, -1)
    matrix = weight.permute(0, 2, 3, 1).reshape(len(weight), -1)  # (D, 3 · 3 · C)
    return F.linear(rows, matrix, bias).view(batch, height, width, -1).permute(0, 3, 1, 2)

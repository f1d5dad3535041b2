"""The equations of attentive normalization as literal loops in float64: slow, and easy to compare with the paper."""

import torch
from torch import Tensor


def oracle_layout(x: Tensor, filters: Tensor, constants: Tensor, temperature: float) -> Tensor:
    """Equations 1 to 3, position by position."""
    batch, _, height, width = x.shape
    layout = torch.zeros(batch, filters.shape[1], height, width, dtype=torch.float64)
    for b in range(batch):
        for row in range(height):
            for column in range(width):
                logits = temperature * (filters[b] @ x[b, :, row, column] + constants[b])
                layout[b, :, row, column] = torch.exp(logits) / torch.exp(logits).sum()
    return layout


def oracle_normalize(
    x: Tensor, layout: Tensor, weight: Tensor | None, bias: Tensor | None, moments: str, eps: float
) -> Tensor:
    """Equations 4 and 5, region by region and channel by channel."""
    batch, channels, *_ = x.shape
    regions = layout.shape[1]
    output = torch.zeros_like(x)
    for b in range(batch):
        for i in range(regions):
            s = layout[b, i]
            mass = s.sum()
            for c in range(channels):
                mean = (s * x[b, c]).sum() / mass
                if moments == "soft":
                    variance = (s * (x[b, c] - mean) ** 2).sum() / mass
                else:
                    variance = ((s * x[b, c] - mean) ** 2).sum() / mass
                gain = 1.0 if weight is None else weight[i, c]
                shift = 0.0 if bias is None else bias[i, c]
                output[b, c] += s * (gain * (x[b, c] - mean) / torch.sqrt(variance + eps) + shift)
    return output


def random_layout(batch: int, regions: int, height: int, width: int) -> Tensor:
    return (3 * torch.randn(batch, regions, height, width, dtype=torch.float64)).softmax(1)

"""A convolution with a step: nn.Conv2d's results and gradients, on maps of one position too."""

import pytest
import torch
from torch import nn

from lit_an.networks.strided import StridedConv2d


@pytest.mark.parametrize("padding_mode", ["zeros", "replicate"])
@pytest.mark.parametrize("side", [1, 2, 5])
def test_it_is_a_convolution(side: int, padding_mode: str) -> None:
    plain = nn.Conv2d(3, 4, 5, stride=2, padding=2, padding_mode=padding_mode).double()
    strided = StridedConv2d(3, 4, 5, stride=2, padding=2, padding_mode=padding_mode).double()
    strided.load_state_dict(plain.state_dict())
    x = torch.randn(2, 3, side, side, dtype=torch.float64)
    results = [layer(x) for layer in (plain, strided)]
    torch.testing.assert_close(*results)
    gradients = [
        torch.autograd.grad(result.square().sum(), list(layer.parameters()))
        for layer, result in zip((plain, strided), results, strict=True)
    ]
    torch.testing.assert_close(*gradients)


def test_weights_that_meet_the_padding_only_get_no_gradient_in_bfloat16() -> None:
    layer = StridedConv2d(16, 16, 3, stride=2, padding=1).bfloat16()
    for _ in range(20):
        x, upstream = torch.randn(4, 16, 1, 1).bfloat16(), torch.randn(4, 16, 1, 1).bfloat16()
        y = layer(x)
        unset = [torch.full((layer.weight.numel(),), float("nan"), dtype=torch.bfloat16) for _ in range(5)]
        del unset  # freed, so that memory that is not written shows
        (gradient,) = torch.autograd.grad(y, layer.weight, upstream)
        expected = torch.zeros_like(gradient)
        expected[:, :, 1, 1] = torch.einsum("bo,bi->oi", upstream[..., 0, 0], x[..., 0, 0])
        torch.testing.assert_close(gradient, expected, rtol=0.02, atol=0.05)

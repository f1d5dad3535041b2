"""Positional normalization against its equations in numpy."""

import numpy as np
import pytest
import torch

from lit_an.norms import PositionalNorm2d


def made(affine: bool) -> PositionalNorm2d:
    norm = PositionalNorm2d(4, affine=affine).double()
    with torch.no_grad():
        for parameter in norm.parameters():
            parameter.normal_()
    return norm


@pytest.mark.parametrize("affine", [False, True])
def test_equals_its_equations(affine: bool) -> None:
    norm, x = made(affine), torch.randn(2, 4, 3, 5, dtype=torch.float64) + 1
    expected, given = np.empty(x.shape), x.numpy()
    for b, row, column in np.ndindex(2, 3, 5):
        values = given[b, :, row, column]
        mean = sum(values) / 4
        normalized = (values - mean) / np.sqrt(sum((values - mean) ** 2) / 4 + 1e-5)
        if norm.weight is not None and norm.bias is not None:
            normalized = norm.weight.detach().numpy() * normalized + norm.bias.detach().numpy()
        expected[b, :, row, column] = normalized
    np.testing.assert_allclose(norm(x).detach().numpy(), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("affine", [False, True])
def test_gradients(affine: bool) -> None:
    norm, x = made(affine), torch.randn(2, 4, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(norm, (x,))
    assert torch.autograd.gradgradcheck(norm, (x,))
    (norm(x) * torch.randn_like(x)).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in norm.parameters())


def test_a_position_does_not_see_the_others() -> None:
    norm, x = PositionalNorm2d(4), torch.randn(1, 4, 6, 6)
    torch.testing.assert_close(norm(x[..., :3, :]), norm(x)[..., :3, :])
    assert not norm(torch.randn(1, 4, 6, 6)[:, :1].expand(-1, 4, -1, -1)).any(), "channels that are equal become 0"

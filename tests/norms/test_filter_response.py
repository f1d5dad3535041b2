"""Filter response normalization against its equations in numpy."""

import numpy as np
import pytest
import torch

from lit_an.norms import FilterResponseNorm2d


def made(channels: int = 4, **kwargs: bool) -> FilterResponseNorm2d:
    norm = FilterResponseNorm2d(channels, **kwargs).double()  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in norm.parameters():
            parameter.normal_()
    return norm


@pytest.mark.parametrize("thresholded", [False, True])
def test_equals_its_equations(thresholded: bool) -> None:
    norm, x = made(thresholded=thresholded), torch.randn(2, 4, 3, 5, dtype=torch.float64) + 1
    weight, bias = (parameter.detach().numpy() for parameter in (norm.weight, norm.bias))
    expected, given = np.empty(x.shape), x.numpy()
    for b in range(2):
        for c in range(4):
            square = sum(value**2 for value in given[b, c].flat) / given[b, c].size
            expected[b, c] = weight[c] * given[b, c] / np.sqrt(square + 1e-6) + bias[c]
            if norm.threshold is not None:
                expected[b, c] = np.where(
                    expected[b, c] > norm.threshold[c].item(), expected[b, c], norm.threshold[c].item()
                )
    result = norm(x).detach().numpy()
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-12)
    if thresholded:
        assert 0 < (result == expected.min((0, 2, 3), keepdims=True)).mean() < 1, "some positions are at the threshold"


@pytest.mark.parametrize("thresholded", [False, True])
@pytest.mark.parametrize("affine", [False, True])
def test_gradients(affine: bool, thresholded: bool) -> None:
    norm = made(3, affine=affine, thresholded=thresholded)
    x = torch.randn(2, 3, 3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(norm, (x,))
    assert torch.autograd.gradgradcheck(norm, (x,))
    (norm(x) * torch.randn_like(x)).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in norm.parameters())


def test_the_threshold_is_off_and_starts_as_a_relu() -> None:
    x = torch.randn(2, 3, 4, 4)
    plain, thresholded = FilterResponseNorm2d(3), FilterResponseNorm2d(3, thresholded=True)
    assert plain.threshold is None
    torch.testing.assert_close(thresholded(x), plain(x).relu())
    assert [name for name, _ in thresholded.named_parameters()] == ["weight", "bias", "threshold"]

"""Spatially adaptive normalization against its equation in numpy, and its use of the mask."""

import numpy as np
import pytest
import torch
from torch import nn

from lit_an.errors import InputError
from lit_an.norms import SpatiallyAdaptiveNorm2d


def made(**kwargs: object) -> SpatiallyAdaptiveNorm2d:
    norm = SpatiallyAdaptiveNorm2d(3, hidden_features=5, **kwargs).double()  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in norm.parameters():
            parameter.normal_(std=0.5)
    return norm


def convolved(x: np.ndarray, convolution: nn.Conv2d) -> np.ndarray:
    """(C, H, W) to (D, H, W), with a border of zeros, position by position."""
    weight, bias = convolution.weight.detach().numpy(), convolution.bias.detach().numpy()  # type: ignore[union-attr]
    border = weight.shape[2] // 2
    padded = np.pad(x, ((0, 0), (border, border), (border, border)))
    found = np.empty((len(weight), *x.shape[1:]))
    for row, column in np.ndindex(*x.shape[1:]):
        window = padded[:, row : row + weight.shape[2], column : column + weight.shape[3]]
        found[:, row, column] = (weight * window).sum((1, 2, 3)) + bias
    return found


@pytest.mark.parametrize("kernel_size", [1, 3])
@pytest.mark.parametrize("statistics", ["batch", "image"])
def test_equals_its_equation(statistics: str, kernel_size: int) -> None:
    norm = made(statistics=statistics, kernel_size=kernel_size)
    x = torch.randn(2, 3, 4, 4, dtype=torch.float64) + 1
    mask = (torch.rand(2, 1, 8, 8) > 0.5).double()
    given, expected = x.numpy(), np.empty(x.shape)
    for b in range(2):
        small = mask[b, :, ::2, ::2].numpy()  # the nearest neighbor
        hidden = np.maximum(convolved(small, norm.hidden), 0)
        gain, shift = convolved(hidden, norm.gain), convolved(hidden, norm.shift)
        for c in range(3):
            values = given[:, c] if statistics == "batch" else given[b, c]
            standard = (given[b, c] - values.mean()) / np.sqrt(values.var() + 1e-5)
            expected[b, c] = (1 + gain[c]) * standard + shift[c]
    np.testing.assert_allclose(norm(x, mask).detach().numpy(), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("statistics", ["batch", "image"])
def test_gradients(statistics: str) -> None:
    norm, mask = made(statistics=statistics), (torch.rand(2, 1, 3, 3) > 0.5).double()
    x = torch.randn(2, 3, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: norm(x, mask), (x,))
    (norm(x, mask) * torch.randn_like(x)).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in norm.parameters())


def test_it_starts_near_the_norm_alone() -> None:
    norm, x = SpatiallyAdaptiveNorm2d(16), torch.randn(2, 16, 8, 8)
    difference = norm(x, torch.ones(2, 1, 8, 8)) - nn.BatchNorm2d(16, affine=False)(x)
    assert 0 < difference.abs().max() < 0.1


def test_its_batch_norm_can_be_synchronized_and_keeps_statistics() -> None:
    norm = SpatiallyAdaptiveNorm2d(4)
    x, mask = torch.randn(4, 4, 3, 3) + 2, torch.ones(4, 1, 3, 3)
    norm(x, mask)
    assert isinstance(norm.norm, nn.BatchNorm2d)
    torch.testing.assert_close(norm.norm.running_mean, 0.1 * x.mean((0, 2, 3)))
    converted = nn.SyncBatchNorm.convert_sync_batchnorm(norm)
    assert any(isinstance(module, nn.SyncBatchNorm) for module in converted.modules())


@pytest.mark.parametrize(
    ("kwargs", "sentence"),
    [
        ({"statistics": "group"}, "statistics must be 'image' or 'batch', got 'group'"),
        ({"hidden_features": 0}, "hidden_features must be at least 1, got 0"),
        ({"kernel_size": 2}, "kernel_size must be odd and at least 1, got 2"),
    ],
)
def test_bad_arguments_get_one_sentence(kwargs: dict[str, object], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        SpatiallyAdaptiveNorm2d(4, **kwargs)  # type: ignore[arg-type]

"""Holes: known pixels stay what they are, bit for bit, what is in a hole is gone; shares and bins of area."""

import pytest
import torch

from lit_an.masks import FreeForm
from lit_an.tensors.holes import BINS, bins_of, composite, erase


@pytest.mark.parametrize("pixels", [10 * 10, 30 * 50, 256 * 256, 250 * 1000, 2000 * 1000])
def test_borders_belong_to_the_bin_below(pixels: int) -> None:
    """The literal rule in whole numbers: 10 · count / pixels, rounded up."""
    around = {pixels * tenth // 10 + step for tenth in range(11) for step in (-1, 0, 1)}
    for count in sorted(count for count in around if 0 <= count <= pixels):
        share = torch.tensor([float(count)]) / pixels
        expected = -(-10 * count // pixels) - 1
        assert int(bins_of(share)) == min(max(expected, 0), 6), (count, pixels)


def test_bins_have_names() -> None:
    shares = torch.tensor([[0.0, 1e-6, 0.1], [0.100001, 0.6, 0.6001]])
    assert bins_of(shares).tolist() == [[0, 0, 0], [1, 5, 6]]
    assert [BINS[number] for number in bins_of(torch.arange(0.05, 0.7, 0.1))] == [*BINS]


@pytest.fixture
def mask() -> torch.Tensor:
    return torch.stack([FreeForm().draw(12, 14, seed) for seed in range(3)])


def bits(x: torch.Tensor) -> torch.Tensor:
    return x.view({torch.float32: torch.int32, torch.float64: torch.int64, torch.bfloat16: torch.int16}[x.dtype])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_known_pixels_are_the_images_bit_for_bit(mask: torch.Tensor, dtype: torch.dtype) -> None:
    image = torch.randn(3, 3, 12, 14).to(dtype)
    image[0, 0, 0] = -0.0
    prediction = torch.full_like(image, float("inf"))
    hole = mask.bool().expand_as(image)
    result = composite(image, prediction, mask)
    assert torch.equal(bits(result)[~hole], bits(image)[~hole])
    assert torch.isinf(result[hole]).all()
    assert result.dtype == dtype
    erased = erase(image, mask)
    assert torch.equal(bits(erased)[~hole], bits(image)[~hole])
    assert (bits(erased)[hole] == 0).all(), "plain zeros, not minus zeros"


def test_what_was_in_a_hole_cannot_be_known(mask: torch.Tensor) -> None:
    image = torch.rand(3, 3, 12, 14)
    other = torch.where(mask.bool(), torch.nan, image)
    assert torch.equal(erase(image, mask), erase(other, mask))
    assert torch.equal(composite(erase(other, mask), image, mask), image)


def test_gradients_reach_the_prediction_in_the_hole_alone(mask: torch.Tensor) -> None:
    image, prediction = (torch.randn(3, 3, 12, 14, requires_grad=True) for _ in range(2))
    composite(image, prediction, mask).sum().backward()
    assert prediction.grad is not None
    assert image.grad is not None
    assert torch.equal(prediction.grad, mask.expand(-1, 3, -1, -1))
    assert torch.equal(image.grad, 1 - mask.expand(-1, 3, -1, -1))

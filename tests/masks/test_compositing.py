"""Known pixels stay what they are, bit for bit; what is in a hole is gone."""

import pytest
import torch

from lit_an.errors import InputError
from lit_an.masks import FreeForm
from lit_an.masks.compositing import check_mask, composite, erase


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


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        (torch.zeros(3, 12, 14), r"the mask must be \(B, 1, H, W\), got \(3, 12, 14\)"),
        (torch.zeros(3, 3, 12, 14), r"must be \(B, 1, H, W\), got \(3, 3, 12, 14\)"),
        (torch.zeros(3, 1, 12, 14).bool(), "must be float32, 1 in the hole and 0 elsewhere, got torch.bool"),
        (torch.full((3, 1, 12, 14), 0.5), "must hold 1 in the hole and 0 elsewhere, got values from 0.5 to 0.5"),
        (torch.full((3, 1, 12, 14), torch.nan), "got values from nan to nan"),
        (-torch.ones(3, 1, 12, 14), "got values from -1 to -1"),
        (torch.zeros(3, 1, 12, 15), r"must fit the image \(3, 3, 12, 14\), got \(3, 1, 12, 15\)"),
        (torch.zeros(2, 1, 12, 14), r"must fit the image \(3, 3, 12, 14\), got \(2, 1, 12, 14\)"),
    ],
)
def test_a_mask_that_is_none_is_refused(bad: torch.Tensor, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        check_mask(bad, "the mask", torch.zeros(3, 3, 12, 14))


def test_a_mask_that_is_one_passes(mask: torch.Tensor) -> None:
    check_mask(mask, "mask", torch.zeros(3, 3, 12, 14))

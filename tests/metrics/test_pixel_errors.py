"""L1 and PSNR: by hand, against torchmetrics, and of the hole alone."""

import math

import pytest
import torch
from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio

from lit_an.metrics.pixel_errors import hole_mean, pixel_errors, psnr
from lit_an.tensors.holes import BINS, bins_of


@pytest.fixture
def mask() -> Tensor:
    """Three holes of other sizes in images of 20 × 14."""
    mask = torch.zeros(3, 1, 20, 14)
    mask[0, :, 2:5, 3:9] = mask[1, :, :, :7] = mask[2, :, 19, 13] = 1
    return mask


def pair(shape: tuple[int, ...] = (3, 3, 20, 14)) -> tuple[Tensor, Tensor]:
    return torch.rand(shape) * 2 - 1, torch.rand(shape) * 2 - 1


def test_they_are_the_literal_loop(mask: Tensor) -> None:
    image, other = pair()
    errors = pixel_errors(image, other, mask)
    for number in range(3):
        inside: list[float] = []
        everywhere: list[float] = []
        for y in range(20):
            for x in range(14):
                for channel in range(3):
                    difference = float(image[number, channel, y, x]) - float(other[number, channel, y, x])
                    everywhere.append(difference)
                    if mask[number, 0, y, x] == 1:
                        inside.append(difference)
        for l1, decibel, found in (
            (errors.l1, errors.psnr, everywhere),
            (errors.hole_l1, errors.hole_psnr, inside),
        ):
            assert float(l1[number]) == pytest.approx(sum(map(abs, found)) / len(found), rel=1e-12)
            mean_square = sum(value * value for value in found) / len(found)
            assert float(decibel[number]) == pytest.approx(10 * math.log10(4 / mean_square), rel=1e-12)


def test_psnr_is_that_of_torchmetrics(mask: Tensor) -> None:
    image, other = pair()
    theirs = peak_signal_noise_ratio(other, image, data_range=2.0, reduction="none", dim=(1, 2, 3))
    torch.testing.assert_close(pixel_errors(image, other, mask).psnr.float(), theirs)


def test_known_pixels_do_not_touch_the_hole(mask: Tensor) -> None:
    image, other = pair()
    changed = torch.where(mask > 0, other, -other)
    before, after = pixel_errors(image, other, mask), pixel_errors(image, changed, mask)
    assert torch.equal(before.hole_l1, after.hole_l1)
    assert torch.equal(before.hole_psnr, after.hole_psnr)
    assert (before.l1 != after.l1).all()
    # And the other way round: with the mask inverted, they are all that counts.
    assert (pixel_errors(image, other, 1 - mask).hole_l1 != pixel_errors(image, changed, 1 - mask).hole_l1).all()


def test_identical_images_are_perfect_and_finite(mask: Tensor) -> None:
    image, _ = pair()
    errors = pixel_errors(image, image, mask)
    assert errors.l1.tolist() == errors.hole_l1.tolist() == [0, 0, 0]
    assert errors.psnr.tolist() == errors.hole_psnr.tolist() == [100, 100, 100]
    # The least that can differ between two files of 256 × 256: still told from nothing.
    assert float(psnr(torch.tensor((2 / 255) ** 2 / (3 * 256 * 256)))) == 100
    assert float(psnr(torch.tensor((2 / 255) ** 2 / (3 * 128 * 128)))) < 100


def test_a_hole_without_pixels_has_no_value() -> None:
    assert hole_mean(torch.ones(1, 3, 4, 4), torch.zeros(1, 1, 4, 4)).isnan().all()


def test_what_is_no_number_outside_the_hole_stays_there() -> None:
    mask = torch.tensor([[[[1.0, 0.0]]]])
    assert hole_mean(torch.tensor([[[[0.5, torch.nan]]]]), mask).tolist() == [0.5]


def test_a_share_on_an_edge_belongs_below_it_in_any_precision() -> None:
    edges = torch.arange(1, 7) / 10
    for share in (edges, edges.double(), torch.arange(1, 7, dtype=torch.float64) / 10):
        assert bins_of(share).tolist() == [0, 1, 2, 3, 4, 5]
        assert bins_of(share + 1e-6).tolist() == [1, 2, 3, 4, 5, 6]
    assert bins_of(torch.tensor([0.0, 1.0])).tolist() == [0, len(BINS) - 1]

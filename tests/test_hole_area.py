"""Shares of hole, and the borders of the bins: the upper one is in."""

import pytest
import torch

from lit_an.hole_area import BINS, bins_of, hole_share


def test_the_share_is_counted_for_each_mask() -> None:
    mask = torch.zeros(3, 1, 5, 7)
    mask[1, 0, :2] = 1
    mask[2] = 1
    assert hole_share(mask).tolist() == pytest.approx([0.0, 14 / 35, 1.0])


@pytest.mark.parametrize("pixels", [10 * 10, 30 * 50, 256 * 256, 250 * 1000, 2000 * 1000])
def test_borders_belong_to_the_bin_below(pixels: int) -> None:
    """The literal rule in whole numbers: 10 · count / pixels, rounded up."""
    around = {pixels * tenth // 10 + step for tenth in range(11) for step in (-1, 0, 1)}
    for count in sorted(count for count in around if 0 <= count <= pixels):
        share = hole_share((torch.arange(pixels) < count).float().view(1, 1, 1, -1))
        expected = -(-10 * count // pixels) - 1
        assert int(bins_of(share)) == min(max(expected, 0), 6), (count, pixels)


def test_bins_have_names() -> None:
    shares = torch.tensor([[0.0, 1e-6, 0.1], [0.100001, 0.6, 0.6001]])
    assert bins_of(shares).tolist() == [[0, 0, 0], [1, 5, 6]]
    assert [BINS[number] for number in bins_of(torch.arange(0.05, 0.7, 0.1))] == [*BINS]

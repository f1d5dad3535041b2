"""Layout statistics on cases that can be computed by hand."""

import math

import pytest
import torch

from lit_an.metrics.layout import layout_statistics


def one_hot_halves() -> torch.Tensor:
    """Four regions; the left half of a 4×4 map is region 0, the right half region 1."""
    layout = torch.zeros(1, 4, 4, 4)
    layout[:, 0, :, :2] = 1
    layout[:, 1, :, 2:] = 1
    return layout


def test_uniform_is_n_and_n() -> None:
    statistics = layout_statistics(torch.full((2, 16, 4, 4), 1 / 16), torch.randn(2, 3, 4, 4))
    assert statistics.effective_regions.item() == pytest.approx(16)
    assert statistics.effective_regions_per_position.item() == pytest.approx(16)
    assert statistics.position_entropy.item() == pytest.approx(math.log(16))


def test_collapsed_is_one_and_one() -> None:
    layout = torch.zeros(2, 16, 4, 4)
    layout[:, 3] = 1
    statistics = layout_statistics(layout, torch.randn(2, 3, 4, 4))
    assert statistics.effective_regions.item() == pytest.approx(1)
    assert statistics.effective_regions_per_position.item() == pytest.approx(1)


def test_two_halves_are_one_per_position_and_two_in_use() -> None:
    features = torch.zeros(1, 2, 4, 4)
    features[:, :, :, 2:] = 5
    features[:, 0, ::2, :] += 1  # spread 0.5 in one of two channels
    statistics = layout_statistics(one_hot_halves(), features)
    assert statistics.usage.tolist() == [0.5, 0.5, 0, 0]
    assert statistics.effective_regions.item() == pytest.approx(2)
    assert statistics.effective_regions_per_position.item() == pytest.approx(1)
    assert statistics.region_mean.tolist() == pytest.approx([0.25, 5.25, 0, 0])
    assert statistics.region_spread.tolist() == pytest.approx([math.sqrt(0.125), math.sqrt(0.125), 0, 0])

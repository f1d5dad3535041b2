"""Layout statistics on cases that can be computed by hand."""

import math

import pytest
import torch

from lit_an.metrics.layout import hole_share_of_regions, layout_agreement, layout_statistics


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


def test_the_hole_share_of_regions_is_a_weighted_mean() -> None:
    layout = torch.rand(2, 3, 4, 4, dtype=torch.float64).softmax(1)
    mask = (torch.rand(2, 1, 8, 8) > 0.6).float()
    hole = mask.view(2, 4, 2, 4, 2).mean((2, 4))  # of each position's 2×2 pixels
    for region in range(3):
        inside = mass = 0.0
        for image in range(2):
            for row in range(4):
                for column in range(4):
                    inside += layout[image, region, row, column].item() * hole[image, row, column].item()
                    mass += layout[image, region, row, column].item()
        assert hole_share_of_regions(layout, mask)[region].item() == pytest.approx(inside / mass, rel=1e-6)


def test_agreement_of_a_perfect_layout_is_1_whatever_its_regions_are_called() -> None:
    parts = torch.randint(0, 2, (2, 8, 8))
    layout = torch.nn.functional.one_hot(parts, 5).permute(0, 3, 1, 2).double()[:, [3, 1, 2, 0, 4]]
    agreement = layout_agreement(layout, parts)
    assert agreement.accuracy == 1
    assert agreement.chance == max(parts.double().mean(), 1 - parts.double().mean())


def test_agreement_of_one_region_is_chance() -> None:
    parts = torch.randint(0, 2, (2, 8, 8))
    agreement = layout_agreement(torch.ones(2, 1, 8, 8), parts)
    assert agreement.accuracy == agreement.chance


def test_agreement_counts_known_pixels_only() -> None:
    parts = torch.tensor([[[0, 1, 1, 0]]])
    layout = torch.tensor([[[[1.0, 0.0, 1.0, 0.0]], [[0.0, 1.0, 0.0, 1.0]]]])  # right at the first two only
    known = torch.tensor([[[[1.0, 1.0, 0.0, 0.0]]]])
    assert layout_agreement(layout, parts, known).accuracy == 1
    assert layout_agreement(layout, parts).accuracy == 0.5
    assert layout_agreement(layout, parts, torch.zeros_like(known)).accuracy == 0

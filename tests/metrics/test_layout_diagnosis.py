"""What is said of a layout that is no map of regions: each symptom in a layout that has it, none in a good one."""

import pytest
import torch
from torch import Tensor

from lit_an.metrics.layout.diagnosis import dead_regions, position_shares, residual_strength, symptoms
from lit_an.metrics.layout.statistics import layout_statistics


def blobs(images: int = 12, regions: int = 8) -> Tensor:
    """Layouts that differ from image to image, all regions alike."""
    return torch.nn.functional.interpolate(3 * torch.randn(images, regions, 4, 4), size=(16, 16)).softmax(1)


def found(layout: Tensor, strength: float | None = 1.0) -> list[tuple[str, str]]:
    features = torch.randn(len(layout), 3, *layout.shape[2:])
    shown = symptoms(layout_statistics(layout, features), strength, position_shares(layout))
    for symptom in shown:
        assert any(word in symptom.advice for word in ("try ", "wait, ", "look at ")), "it says what to do"
    return [(symptom.kind, symptom.name) for symptom in shown]


def test_a_map_of_regions_has_no_symptom() -> None:
    assert found(blobs()) == []
    assert found(blobs(), strength=None) == []


def test_uniform_and_one_region_are_degenerate_and_nothing_else() -> None:
    uniform = torch.full((12, 8, 16, 16), 1 / 8)
    uniform[:, 0, :8] += 1e-4  # all of its variance is in its position
    uniform[:, 1, :8] -= 1e-4
    assert found(uniform) == [("degenerate", "uniform")]
    one = torch.eye(8)[3].view(1, 8, 1, 1).expand(12, -1, 16, 16)
    assert found(one) == [("degenerate", "one region")]


def test_dead_regions_are_counted() -> None:
    layout = blobs(regions=4)
    layout = torch.cat([layout, torch.zeros_like(layout)], 1)
    assert dead_regions(layout.mean((0, 2, 3))) == 4
    assert found(layout) == [("dead regions", "mostly dead")]
    fewer = torch.cat([blobs(regions=5), torch.zeros(12, 3, 16, 16)], 1)
    assert found(fewer) == [], "three of eight are no failure"


def test_a_scale_is_small_beside_its_features() -> None:
    features = 100 * torch.randn(4, 3, 8, 8)
    assert residual_strength(torch.tensor(0.5), features) == pytest.approx(0.005, rel=0.1)
    shifted = features + 1000  # what all positions have in common is no scale
    assert residual_strength(torch.tensor(0.5), shifted) == pytest.approx(0.005, rel=0.1)
    assert found(blobs(), strength=0.005) == [("without effect", "without effect")]
    assert found(blobs(), strength=0.02) == []


@pytest.mark.parametrize(
    ("kind", "which"), [("border", "distance from the border"), ("grid", "a grid of 4"), ("left", "")]
)
def test_a_layout_tied_to_positions_says_to_which(kind: str, which: str) -> None:
    row, column = torch.arange(16)[:, None].expand(16, 16), torch.arange(16).expand(16, 16)
    of = {
        "border": torch.minimum(torch.minimum(row, 15 - row), torch.minimum(column, 15 - column)),
        "grid": row % 2 * 4 + column % 2,
        "left": row // 4 * 2 + column // 8,
    }[kind]
    layout = (3 * torch.nn.functional.one_hot(of, 8).permute(2, 0, 1) + 0.3 * torch.randn(12, 8, 16, 16)).softmax(1)
    assert ("tied to position", "tied to positions") in found(layout)
    shown = [
        symptom
        for symptom in symptoms(layout_statistics(layout, torch.randn(12, 3, 16, 16)), 1.0, position_shares(layout))
        if symptom.kind == "tied to position"
    ]
    assert len(shown) == 1
    assert ("the distance" in shown[0].figures or "a grid" in shown[0].figures) == bool(which)
    assert which in shown[0].figures

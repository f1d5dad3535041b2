"""LaMa's strokes and boxes against their published parameters."""

import torch
from torch import Tensor

from lit_an.masks import Strokes
from lit_an.masks.strokes import PUBLISHED
from tests.masks.drawing import drawn


def test_lamas_strokes_are_ordered_by_their_names() -> None:
    shares = {kind: drawn(Strokes(kind, max_share=1.0), 300).float().mean((1, 2)) for kind in PUBLISHED}
    # Means of 1500 masks: 0.26, 0.23 and 0.40.
    assert 0.2 < shares["thin"].mean() < 0.32
    assert 0.17 < shares["medium"].mean() < 0.3
    assert 0.33 < shares["thick"].mean() < 0.47
    assert 0.2 < (shares["thick"] > 0.5).float().mean() < 0.45
    # How far it is from a pixel in the hole to what is known tells thin from thick.
    reach = {kind: float(_eroded(drawn(Strokes(kind), 100, 64), 2).float().mean()) for kind in PUBLISHED}
    assert reach["thin"] < 0.02 < reach["medium"] < reach["thick"]


def _eroded(holes: Tensor, pixels: int) -> Tensor:
    return -torch.nn.functional.max_pool2d(-holes.float(), 2 * pixels + 1, stride=1, padding=pixels) > 0.5


def test_no_hole_is_larger_than_max_share() -> None:
    assert drawn(Strokes("thick"), 200).float().mean((1, 2)).max() <= 0.5
    assert drawn(Strokes("thick", max_share=0.1), 100).float().mean((1, 2)).max() <= 0.1


def test_medium_and_thick_have_boxes_in_3_of_13() -> None:
    for kind, expected in (("thin", 0.0), ("medium", 0.3 / 1.3), ("thick", 0.3 / 1.3)):
        holes = drawn(Strokes(kind, max_share=1.0), 400, 64)  # type: ignore[arg-type]
        assert abs(_share_of_boxes(holes) - expected) < 0.07, kind


def test_boxes_as_often_as_said() -> None:
    for probability in (0.0, 0.5, 1.0):
        holes = drawn(Strokes("thick", max_share=1.0, box_probability=probability), 300, 64)
        assert abs(_share_of_boxes(holes) - probability) < 0.08


def _share_of_boxes(holes: Tensor) -> float:
    return sum(_is_union_of_boxes(hole) for hole in holes) / len(holes)


def _is_union_of_boxes(hole: Tensor) -> bool:
    """Whether few rows are different: round ends make many of them."""
    return len(hole.unique(dim=0)) <= 2 * 5 + 1 and len(hole.unique(dim=1)[0]) <= 2 * 5 + 1

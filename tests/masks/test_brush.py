"""The brush against the distance of each pixel from each segment."""

import numpy as np
import pytest

from lit_an.masks.brush import BrushStrokes, paint_strokes


def distance(height: int, width: int, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """(height, width): of each pixel's center from a segment, pixel by pixel."""
    along, result = end - start, np.empty((height, width))
    for row in range(height):
        for column in range(width):
            pixel = np.array([column, row], dtype=float)
            length = float(along @ along)
            position = min(max(float((pixel - start) @ along) / length, 0), 1) if length else 0.0
            result[row, column] = np.linalg.norm(pixel - start - position * along)
    return result


def plane(coordinates: np.ndarray) -> np.ndarray:
    """x + iy of (…, 2)."""
    return np.asarray(coordinates[..., 0] + 1j * coordinates[..., 1])


@pytest.mark.parametrize("thickness", [1.0, 2.0, 3.0, 5.5, 8.0, 13.0])
def test_what_is_nearer_than_half_a_width_is_painted(thickness: float) -> None:
    random, missed, spilled, expected, found = np.random.default_rng(1), 0, 0, 0, 0
    for _ in range(6):
        start, moves = random.random(2) * (39, 29), random.normal(0, 15, (2, 2))
        strokes = BrushStrokes(plane(start)[None], plane(moves)[None], np.full((1, 2), thickness), np.array([2]))
        hole = paint_strokes(30, 40, strokes, furthest=39 + 29j)
        middle = (start + moves[0]).clip(0, (39, 29))
        last = (middle + moves[1]).clip(0, (39, 29))
        near = np.minimum(distance(30, 40, start, middle), distance(30, 40, middle, last))
        missed += int((~hole & (near < thickness / 2 - 1)).sum())
        spilled += int((hole & (near > thickness / 2 + 1)).sum())
        expected += int((near <= thickness / 2).sum())
        found += int(hole.sum())
    assert (missed, spilled) == (0, 0)
    # A line of a pixel is as many pixels as its longer side, not as its length.
    assert found == pytest.approx(expected, rel=0.3 if thickness == 1 else 0.12)


def test_each_segment_has_its_own_width_and_only_those_there_are_count() -> None:
    moves = np.array([[10 + 0j, 10 + 0j, 20j]])
    hole = paint_strokes(
        30, 40, BrushStrokes(np.array([5 + 10j]), moves, np.array([[3.0, 9.0, 9.0]]), np.array([2])), 39 + 29j
    )
    assert hole[:, 8].sum() == 3
    assert hole[:, 20].sum() == 9
    assert not hole[16:].any()


def test_a_segment_without_length_is_a_disc() -> None:
    for thickness, area in ((1.0, 1), (7.0, 37), (21.0, 349)):
        strokes = BrushStrokes(np.array([20 + 15j]), np.zeros((1, 1), complex), np.array([[thickness]]), np.array([1]))
        hole = paint_strokes(30, 40, strokes, furthest=39 + 29j)
        assert hole.sum() == pytest.approx(area, rel=0.06)
        assert (hole[:, 20].sum(), hole[15].sum()) == (thickness, thickness)


def test_no_walks_paint_nothing() -> None:
    none = BrushStrokes(np.zeros(2, complex), np.ones((2, 3), complex), np.full((2, 3), 5.0), np.zeros(2, dtype=int))
    assert not paint_strokes(8, 8, none, furthest=7 + 7j).any()

"""Painting with a round brush: strokes of straight segments with round ends.

Positions in the plane are complex numbers, x + iy in pixels, 0 the center of the first pixel: numpy rotates and
measures many of them in one call, so that a mask costs little compared with decoding a photograph.
"""

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw


class BrushStrokes(NamedTuple):
    """S strokes of a brush, of up to K straight segments each.

    Attributes:
        start: (S,), complex, where they begin.
        moves: (S, K), complex, from one end of a segment to the other.
        widths: (S, K), of the brush on each segment; less than a pixel is a pixel.
        segments: (S,), how many of the K segments there are.
    """

    start: np.ndarray
    moves: np.ndarray
    widths: np.ndarray
    segments: np.ndarray


def paint_strokes(height: int, width: int, strokes: BrushStrokes, furthest: complex) -> np.ndarray:
    """(height, width), bool: True where the brush painted.

    Args:
        height, width: in pixels.
        strokes: the strokes.
        furthest: largest x + iy that a stroke may reach; each coordinate is clipped to it and to 0.

    Example:
        >>> strokes = BrushStrokes(np.array([1 + 1j]), np.array([[9 + 0j]]), np.array([[1.0]]), np.array([1]))
        >>> paint_strokes(3, 6, strokes, furthest=4 + 2j).astype(int).tolist()
        [[0, 0, 0, 0, 0, 0], [0, 1, 1, 1, 1, 0], [0, 0, 0, 0, 0, 0]]
    """
    canvas = Image.new("L", (width, height))
    draw = ImageDraw.Draw(canvas)
    points = _points(strokes, furthest)
    # Pillow's polygons cover the pixels under their edges too.
    radius = (np.maximum(strokes.widths, 1) - 1) / 2
    there = np.arange(strokes.widths.shape[1]) < strokes.segments[:, None]
    for corners in _sides(points[:, :-1][there], points[:, 1:][there], radius[there]):
        draw.polygon(corners, 1)
    for box in _ends(points, np.where(there, radius, -1)):
        draw.ellipse(box, 1)
    return np.asarray(canvas).view(np.bool_)


def _points(strokes: BrushStrokes, furthest: complex) -> np.ndarray:
    """(S, K + 1), complex: where segments begin and end."""
    number, segments = strokes.moves.shape
    points = np.empty((segments + 1, number, 2))
    place = points[0] = _coordinates(strokes.start)
    moves, limit = _coordinates(strokes.moves.T), _coordinates(np.array(furthest))
    for reached, move in zip(points[1:], moves, strict=True):
        np.add(place, move, out=reached)
        np.maximum(reached, 0.0, out=reached)
        place = np.minimum(reached, limit, out=reached)
    return points.view(complex)[..., 0].T


def _sides(start: np.ndarray, end: np.ndarray, radius: np.ndarray) -> list[list[float]]:
    """The rectangle of each segment, as x, y, x, y, … of its corners."""
    along = end - start
    across = along * (1j * radius / np.maximum(np.abs(along), 1e-6))
    return _listed(start + across, end + across, end - across, start - across)


def _ends(points: np.ndarray, radius: np.ndarray) -> list[list[float]]:
    """The box of the disc at each point: where two segments meet, of the wider one; radius < 0 is no segment."""
    largest = np.full(points.shape, -1.0)
    largest[:, :-1] = radius
    np.maximum(largest[:, 1:], radius, out=largest[:, 1:])
    seen = largest >= 0
    center, corner = points[seen], largest[seen] * (1 + 1j)
    return _listed(np.rint(center - corner), np.rint(center + corner))


def _coordinates(positions: np.ndarray) -> np.ndarray:
    """(…, 2): x and y of complex positions (…)."""
    return np.ascontiguousarray(positions)[..., None].view(float)


def _listed(*positions: np.ndarray) -> list[list[float]]:
    """x, y, x, y, … for each entry of the positions (n,)."""
    coordinates: list[list[float]] = np.stack(positions, 1).view(float).tolist()
    return coordinates

"""Painting with a round brush: walks of straight segments with round ends."""

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw


class Walks(NamedTuple):
    """S strokes of a brush, of up to K straight segments each; positions are (x, y), 0 the centre of the first pixel.

    Attributes:
        start: (S, 2), where they begin.
        moves: (S, K, 2), from one end of a segment to the other.
        widths: (S, K), of the brush on each segment; less than a pixel is a pixel.
        segments: (S,), how many of the K segments there are.
    """

    start: np.ndarray
    moves: np.ndarray
    widths: np.ndarray
    segments: np.ndarray


def painted(height: int, width: int, walks: Walks, furthest: tuple[float, float]) -> np.ndarray:
    """(height, width), bool: True where the brush was.

    Args:
        height, width: in pixels.
        walks: the strokes.
        furthest: largest (x, y) that a walk may reach; it is stopped there and at 0, each coordinate for itself.

    Example:
        >>> walks = Walks(np.array([[1.0, 1.0]]), np.array([[[9.0, 0.0]]]), np.array([[1.0]]), np.array([1]))
        >>> painted(3, 6, walks, (4.0, 2.0)).astype(int).tolist()
        [[0, 0, 0, 0, 0, 0], [0, 1, 1, 1, 1, 0], [0, 0, 0, 0, 0, 0]]
    """
    canvas = Image.new("L", (width, height))
    draw = ImageDraw.Draw(canvas)
    points = _points(walks, furthest)
    # The end of a segment of a width belongs to the pixels: Pillow's polygons cover those under their edges too.
    radius = (np.maximum(walks.widths, 1) - 1) / 2
    there = np.arange(walks.widths.shape[1]) < walks.segments[:, None]
    for corners in _sides(points[:, :-1][there], points[:, 1:][there], radius[there]):
        draw.polygon(corners, fill=1)
    for box in _ends(points, np.where(there, radius, -1)):
        draw.ellipse(box, fill=1)
    return np.asarray(canvas).view(np.bool_)


def _points(walks: Walks, furthest: tuple[float, float]) -> np.ndarray:
    """(S, K + 1, 2): where segments begin and end."""
    strokes, segments = walks.widths.shape
    points, limit = np.empty((strokes, segments + 1, 2)), np.array(furthest)
    points[:, 0] = walks.start
    for number in range(segments):
        reached = points[:, number] + walks.moves[:, number]
        points[:, number + 1] = np.minimum(np.maximum(reached, 0.0, out=reached), limit, out=reached)
    return points


def _sides(start: np.ndarray, end: np.ndarray, radius: np.ndarray) -> list[list[float]]:
    """The rectangle of each segment, as x, y, x, y, … of its corners."""
    along = end - start
    length = np.hypot(along[:, 0], along[:, 1])
    across = np.stack((-along[:, 1], along[:, 0]), 1) * (radius / np.maximum(length, 1e-6))[:, None]
    corners: list[list[float]] = np.concatenate(
        (start + across, end + across, end - across, start - across), 1
    ).tolist()
    return corners


def _ends(points: np.ndarray, radius: np.ndarray) -> list[list[float]]:
    """The box of the disc at each point: where two segments meet, of the wider one; radius < 0 is no segment."""
    strokes, segments = radius.shape
    largest = np.full((strokes, segments + 1), -1.0)
    largest[:, :-1] = radius
    np.maximum(largest[:, 1:], radius, out=largest[:, 1:])
    seen = largest >= 0
    centre, around = points[seen], largest[seen][:, None]
    boxes: list[list[float]] = np.rint(np.concatenate((centre - around, centre + around), 1)).tolist()
    return boxes

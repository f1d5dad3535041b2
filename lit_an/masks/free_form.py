"""The free-form holes that GMCNN and AN train with: strokes of a brush that turns at random."""

import numpy as np

from lit_an.masks.base import HoleShape, check_between, check_order, scale_of
from lit_an.masks.brush import BrushStrokes, paint_strokes


class FreeForm(HoleShape):
    """Strokes of a round brush, each a walk of straight segments in random directions.

    Lengths and widths are in pixels of an image of 256×256 and scaled with the shorter side. The defaults are AN's.

    Args:
        parts: strokes, at least 1.
        max_vertices: segments of a stroke: 0 to so many, uniformly.
        max_length: of a segment: 0 to so much, uniformly; walks stop at the border of the image.
        min_width, max_width: of the brush, uniformly, drawn for each segment.

    Raises:
        InputError: values out of their range.

    Source: the free-form masks of the published code of AN (Wang et al., CVPR 2020) and GMCNN (arXiv 1810.08771),
    after the algorithm of DeepFill v2 (Yu et al., arXiv 1806.03589).
    Differs: directions, lengths and widths are any numbers in their ranges, not whole degrees, whole pixels and even
    pixels, so that small images have them too; a stroke without a segment paints nothing, not a pixel.

    Example:
        >>> mask = FreeForm().draw(64, 64, seed=0)
        >>> mask.shape, mask.unique().tolist()
        (torch.Size([1, 64, 64]), [0.0, 1.0])
    """

    def __init__(
        self,
        parts: int = 8,
        max_vertices: int = 16,
        max_length: float = 80.0,
        min_width: float = 10.0,
        max_width: float = 20.0,
    ) -> None:
        self.parts, self.max_vertices, self.max_length = parts, max_vertices, max_length
        self.min_width, self.max_width = min_width, max_width
        check_between(self, 1, float("inf"), parts=parts, max_vertices=max_vertices)
        check_between(self, 0, float("inf"), max_length=max_length, min_width=min_width, max_width=max_width)
        check_order(self, min_width=min_width, max_width=max_width)

    def paint(self, height: int, width: int, seed: int, index: int | None) -> np.ndarray:
        random, scale = np.random.default_rng(seed), scale_of(height, width)
        across, down = random.random((2, self.parts))
        start = across * (width - 1) + 1j * down * (height - 1)
        segments = random.integers(0, self.max_vertices + 1, self.parts)
        turn, length, thickness = random.random((3, self.parts, self.max_vertices))
        moves = scale * self.max_length * length * np.exp(2j * np.pi * turn)
        widths = scale * (self.min_width + (self.max_width - self.min_width) * thickness)
        return paint_strokes(height, width, BrushStrokes(start, moves, widths, segments), width - 1 + 1j * (height - 1))

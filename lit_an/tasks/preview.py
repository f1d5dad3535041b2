"""What a task shows of itself while it trains."""

from typing import NamedTuple

from torch import Tensor


class Preview(NamedTuple):
    """Images of fixed inputs for logging.

    Attributes:
        images: (B, 3, H, W), float32 in [-1, 1].
        row_names: one name for each row of a grid; B is a multiple of their number.
        column_names: one name for each column of it.
        mask: (B, 1, H, W), 1 = hole, for inpainting; None for generation.
        regions: (B, H, W), int64, ground-truth region of each pixel, or None if unknown.
    """

    images: Tensor
    row_names: list[str]
    column_names: list[str]
    mask: Tensor | None = None
    regions: Tensor | None = None

"""Geometric transformations of images as products with two matrices: one for the rows, one for the columns.

Flips, quarter turns, translations and scalings along the axes need nothing more. Unlike torch's ``grid_sample``, a
product can be differentiated twice, as gradient penalties require.
"""

import torch
from torch import Tensor

from lit_an.tensors.precision import without_autocast


def resampling_matrix(position: Tensor, size: int, step: Tensor | None = None) -> Tensor:
    """Interpolation weights from ``size`` input positions to each output position, mirrored at the borders.

    Linear interpolation; where the image shrinks, a triangle as wide as a step, so that nothing aliases. At whole
    positions and steps of 1 the weights are exactly 0 and 1.

    Args:
        position: (B, n), where to read, in input pixels, 0 for the center of the first.
        size: input pixels, ≥ 2.
        step: (B,), input pixels from one output pixel to the next, > 0; None for 1.

    Returns:
        (B, n, size), rows sum to 1.

    Example:
        >>> resampling_matrix(torch.tensor([[-1.0, 0.5, 2.0]]), 3)[0].tolist()
        [[0.0, 1.0, 0.0], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]
    """
    last = size - 1
    folded = last - (position.remainder(2 * last) - last).abs()
    weights = _triangle(folded, size, None if step is None else step.clamp(min=1)[:, None, None])
    return weights / weights.sum(2, keepdim=True)


def shifting_matrix(shift: Tensor, size: int) -> Tensor:
    """Weights that move an image by whole pixels, with zeros where nothing comes from.

    Args:
        shift: (B,), whole numbers, pixels toward larger positions.
        size: pixels.

    Returns:
        (B, size, size).

    Example:
        >>> shifting_matrix(torch.tensor([1.0]), 3)[0].tolist()
        [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    """
    return _triangle(torch.arange(size, device=shift.device) - shift[:, None], size, None)


def _triangle(position: Tensor, size: int, radius: Tensor | None) -> Tensor:
    distance = (position[:, :, None] - torch.arange(size, device=position.device)).abs()
    return (1 - (distance if radius is None else distance / radius)).clamp(min=0)


def resample(image: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """rows · image · columnsᵀ for every channel.

    Args:
        image: (B, C, H, W).
        rows: (B, H', H), weights along the height.
        columns: (B, W', W), weights along the width.

    Returns:
        (B, C, H', W'), in float32 or better: half precision would round every pixel.
    """
    kind = torch.promote_types(image.dtype, torch.float32)
    with without_autocast(image):
        rows, columns = rows.to(kind), columns.to(kind)
        return rows[:, None] @ image.to(kind) @ columns[:, None].mT


def turned(image: Tensor, flip: Tensor, quarter_turns: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Square images mirrored left to right, then turned counter-clockwise, all but for two mirrorings.

    Args:
        image: (B, C, H, H).
        flip: (B,), bool.
        quarter_turns: (B,), int64, 0 to 3.

    Returns:
        Images whose rows and columns are still to be reversed, and for which images: (B,) bool each; the resampling
        does that.
    """
    transpose = quarter_turns.remainder(2) == 1
    half = (quarter_turns == 1) | (quarter_turns == 2)
    reverse_rows = half ^ (transpose & flip)
    reverse_columns = (quarter_turns >= 2) ^ (~transpose & flip)
    return torch.where(transpose[:, None, None, None], image.mT, image), reverse_rows, reverse_columns


def with_hole(image: Tensor, row: Tensor, column: Tensor, side: int) -> Tensor:
    """Images with a square of zeros.

    Args:
        image: (B, C, H, W).
        row, column: (B,), first row and column of the square; it may reach over the border.
        side: of the square, in pixels.

    Example:
        >>> with_hole(torch.ones(1, 1, 3, 3), torch.tensor([-1]), torch.tensor([1]), 2)[0, 0].tolist()
        [[1.0, 0.0, 0.0], [1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    """

    def inside(first: Tensor, size: int) -> Tensor:
        position = torch.arange(size, device=image.device) - first[:, None]
        return (position >= 0) & (position < side)

    hole = inside(row, image.shape[2])[:, :, None] & inside(column, image.shape[3])[:, None, :]
    return image * ~hole[:, None]

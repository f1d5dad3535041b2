"""Windows of one size around the holes of a batch."""

import torch
from torch import Tensor


def hole_window(mask: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Positions of windows of one size, centered on the holes and inside the images.

    A window at least as large as the bounding box of its hole contains the hole. The computation does
    not synchronize with the device.

    Args:
        mask: (B, 1, H, W), 1 = hole; without a hole the window is in the middle of the image.
        height, width: of the windows, ≤ H and ≤ W.

    Returns:
        top, left: (B,), int64.

    Example:
        >>> mask = torch.zeros(1, 1, 8, 8)
        >>> mask[..., 0:2, 5:7] = 1
        >>> hole_window(mask, 4, 4)
        (tensor([0]), tensor([4]))
    """
    hole = mask[:, 0] > 0.5
    return _start(hole.any(2), height), _start(hole.any(1), width)


def crop(image: Tensor, top: Tensor, left: Tensor, height: int, width: int) -> Tensor:
    """Cuts one window out of each image; differentiable, and so is its gradient.

    Args:
        image: (B, C, H, W).
        top, left: (B,), int64, from ``hole_window``.
        height, width: of the windows.

    Returns:
        (B, C, height, width).
    """
    batch, channels, _, whole_width = image.shape
    rows = top[:, None] + torch.arange(height, device=image.device)
    columns = left[:, None] + torch.arange(width, device=image.device)
    image = image.gather(2, rows[:, None, :, None].expand(batch, channels, height, whole_width))
    return image.gather(3, columns[:, None, None, :].expand(batch, channels, height, width))


def _start(occupied: Tensor, length: int) -> Tensor:
    """(B, L), bool, to the first positions (B,) of windows of ``length``, centered on what is occupied."""
    whole = occupied.shape[1]
    position = torch.arange(whole, device=occupied.device)
    first = torch.where(occupied, position, whole).amin(1)
    end = torch.where(occupied, position + 1, 0).amax(1)
    # Where nothing is occupied, first + end is the whole length, so the window is in the middle.
    return ((first + end - length) // 2).clamp(0, whole - length)

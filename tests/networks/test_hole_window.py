"""Windows of one size on the holes of a batch: where they lie, what they hold, and their gradients."""

import pytest
import torch
from torch import Tensor

from lit_an.networks.hole_window import crop, hole_window


def rectangles(boxes: list[tuple[int, int, int, int]]) -> Tensor:
    """Masks with the rows top … bottom - 1 and the columns left … right - 1 as hole."""
    mask = torch.zeros(len(boxes), 1, 32, 32)
    for index, (top, bottom, left, right) in enumerate(boxes):
        mask[index, :, top:bottom, left:right] = 1
    return mask


@pytest.mark.parametrize("side", [6, 16, 31, 32])
def test_windows_contain_the_hole_and_lie_within_the_image(side: int) -> None:
    torch.manual_seed(0)
    corners = torch.randint(0, 32 - 6, (50, 2)).tolist()
    sizes = torch.randint(1, 7, (50, 2)).tolist()
    mask = rectangles([(t, t + h, x, x + w) for (t, x), (h, w) in zip(corners, sizes, strict=True)])
    top, left = hole_window(mask, side, side)
    assert top.min() >= 0
    assert left.min() >= 0
    assert max(top.max(), left.max()) + side <= 32
    windows = crop(mask, top, left, side, side)
    assert torch.equal(windows.sum((1, 2, 3)), mask.sum((1, 2, 3)))


@pytest.mark.parametrize(
    ("box", "corner"),
    [
        ((10, 14, 20, 22), (8, 17)),  # centered: 12 - 4, 21 - 4
        ((0, 2, 30, 32), (0, 24)),  # kept within the image
        ((4, 30, 0, 32), (13, 12)),  # a hole larger than the window: its middle
        ((0, 0, 0, 0), (12, 12)),  # no hole: the middle
    ],
)
def test_windows_are_centered_on_the_hole(box: tuple[int, int, int, int], corner: tuple[int, int]) -> None:
    top, left = hole_window(rectangles([box]), 8, 8)
    assert (top.item(), left.item()) == corner


def test_crops_are_slices_and_their_gradients_stay_in_them() -> None:
    image = torch.randn(3, 2, 12, 9, dtype=torch.float64, requires_grad=True)
    top, left = torch.tensor([0, 3, 7]), torch.tensor([5, 0, 2])
    windows = crop(image, top, left, 5, 4)
    for index, (row, column) in enumerate(zip(top, left, strict=True)):
        assert torch.equal(windows[index], image[index, :, row : row + 5, column : column + 4])
    assert torch.autograd.gradcheck(lambda image: crop(image, top, left, 5, 4) ** 2, image)
    assert torch.autograd.gradgradcheck(lambda image: crop(image, top, left, 5, 4) ** 2, image)

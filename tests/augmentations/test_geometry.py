"""Moves of images against torch's own moves and slow loops."""

import math

import pytest
import torch

from lit_an.augmentations.color import hue_matrix, luma_flip_matrix, recolor, saturation_matrix
from lit_an.augmentations.geometry import resample, resampling_matrix, shifting_matrix, turned, with_hole

IMAGE = torch.randn(2, 3, 8, 8)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("quarter_turns", range(4))
def test_mirrorings_and_turns_are_torchs(flip: bool, quarter_turns: int) -> None:
    flips, turns = torch.tensor([flip, False]), torch.tensor([quarter_turns, 0])
    image, reverse_rows, reverse_columns = turned(IMAGE, flips, turns)
    position = torch.arange(8.0)
    weights = [
        resampling_matrix(torch.where(reverse[:, None], 7 - position, position), 8)
        for reverse in (reverse_rows, reverse_columns)
    ]
    expected = torch.rot90(IMAGE[0].flip(2) if flip else IMAGE[0], quarter_turns, (1, 2))
    result = resample(image, *weights)
    assert torch.equal(result[0], expected)
    assert torch.equal(result[1], IMAGE[1])


def test_between_pixels_it_interpolates_and_beyond_them_it_mirrors() -> None:
    line = torch.arange(5.0) ** 2
    position = torch.tensor([[0.25, 3.5, -1.75, 5.5, 12.0]])
    expected = [0.25, 12.5, 1 + 3 * 0.75, 9 - 5 * 0.5, 16.0]  # -1.75 is 1.75, 5.5 is 2.5, 12 is 4 (a period of 8)
    torch.testing.assert_close(resampling_matrix(position, 5)[0] @ line, torch.tensor(expected))


def test_shrinking_averages_over_a_step() -> None:
    step = torch.tensor([2.0])
    weights = resampling_matrix(torch.tensor([[4.0]]), 9, step)[0, 0]
    torch.testing.assert_close(weights[3:6], torch.tensor([0.25, 0.5, 0.25]))
    checkers = torch.tensor([1.0, -1.0] * 4 + [1.0])
    assert abs(weights @ checkers) < 1e-6, "what is finer than the new pixels does not alias"


def test_weights_are_a_triangle_as_wide_as_the_step_and_never_narrower_than_a_pixel() -> None:
    position = torch.tensor([[2.25, 4.0], [3.5, 4.75], [3.0, 4.4]], dtype=torch.float64)
    for step, radius in ((1.5, 1.5), (0.5, 1.0), (1.0, 1.0)):
        weights = resampling_matrix(position, 9, torch.full((3,), step, dtype=torch.float64))
        for b in range(3):
            for i in range(2):
                row = [max(0.0, 1 - abs(float(position[b, i]) - j) / radius) for j in range(9)]
                expected = torch.tensor([weight / sum(row) for weight in row], dtype=torch.float64)
                torch.testing.assert_close(weights[b, i], expected)


def test_a_shift_leaves_zeros_behind() -> None:
    rows, columns = shifting_matrix(torch.tensor([2.0, 0.0]), 8), shifting_matrix(torch.tensor([-1.0, 0.0]), 8)
    moved = resample(IMAGE, rows, columns)
    assert torch.equal(moved[0, :, 2:, :-1], IMAGE[0, :, :-2, 1:])
    assert (moved[0, :, :2] == 0).all()
    assert (moved[0, :, :, -1] == 0).all()
    assert torch.equal(moved[1], IMAGE[1])


def test_a_hole_is_where_it_is_put() -> None:
    cut = with_hole(IMAGE, torch.tensor([1, 6]), torch.tensor([3, -2]), 4)
    expected = IMAGE.clone()
    expected[0, :, 1:5, 3:7] = 0
    expected[1, :, 6:, :2] = 0
    assert torch.equal(cut, expected)
    wide = torch.ones(1, 2, 3, 7)
    cut = with_hole(wide, torch.tensor([1]), torch.tensor([4]), 3)
    assert cut.shape == wide.shape
    assert (cut == 0).nonzero()[:, 2:].unique(dim=0).tolist() == [[y, x] for y in (1, 2) for x in (4, 5, 6)]


def test_half_precision_keeps_every_pixel() -> None:
    image = IMAGE.bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        same = resample(image, *[torch.eye(8).expand(2, -1, -1)] * 2)
        recolored = recolor(image, torch.eye(3).expand(2, -1, -1), torch.zeros(2, 3))
    for result in (same, recolored):
        assert result.dtype == torch.float32
        assert torch.equal(result, image.float())


@pytest.mark.parametrize("kind", [torch.float64, torch.bfloat16])
def test_recoloring_is_the_matrix_and_the_offset_of_each_image(kind: torch.dtype) -> None:
    image = IMAGE.to(kind)
    matrix, offset = torch.randn(2, 3, 3), torch.randn(2, 3)
    with torch.autocast("cpu", torch.bfloat16):  # products in half precision would be visible
        result = recolor(image, matrix, offset)
    assert result.dtype == (torch.float64 if kind == torch.float64 else torch.float32)
    for b in range(2):
        for c in range(3):
            expected = sum(matrix[b, c, d].double() * image[b, d].double() for d in range(3)) + offset[b, c].double()
            torch.testing.assert_close(result[b, c].double(), expected, rtol=1e-5, atol=1e-5)


def test_colors_turn_around_gray() -> None:
    angle = torch.tensor([0.7, -2.0])
    turn = hue_matrix(angle)
    gray, identity = torch.full((3,), 0.4), torch.eye(3).expand(2, -1, -1)
    torch.testing.assert_close(turn @ gray, gray.expand(2, -1))
    torch.testing.assert_close(turn @ turn.mT, identity)
    torch.testing.assert_close(turn.diagonal(dim1=1, dim2=2).sum(1), 1 + 2 * torch.cos(angle))
    torch.testing.assert_close(turn @ hue_matrix(-angle), identity)
    third = hue_matrix(torch.tensor([2 * math.pi / 3]))[0]
    torch.testing.assert_close(third @ torch.eye(3), torch.eye(3).roll(1, 0), atol=1e-6, rtol=0)


def test_saturation_and_luma_are_parts_of_a_color() -> None:
    color = torch.tensor([0.9, -0.2, 0.5])
    gray = color.mean().expand(3)
    torch.testing.assert_close(saturation_matrix(torch.tensor([2.5]))[0] @ color, gray + 2.5 * (color - gray))
    torch.testing.assert_close(luma_flip_matrix(torch.tensor([1.0]))[0] @ color, color - 2 * gray)
    assert torch.equal(saturation_matrix(torch.ones(1))[0], torch.eye(3))
    assert torch.equal(luma_flip_matrix(torch.zeros(1))[0], torch.eye(3))

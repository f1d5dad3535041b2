"""The smooth filling: against slow loops, nothing leaks out of the hole, and a network that corrects it."""

import math

import pytest
import torch
import torch.nn.functional as F

from lit_an.errors import InputError
from lit_an.metrics.baselines import BASELINES
from lit_an.networks import CoarseToFineGenerator
from lit_an.networks.pyramid_fill import pyramid_fill


def scene(height: int = 32, width: int = 32, batch: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    """Images in [-1, 1] and masks with a different rectangle in each."""
    mask = torch.zeros(batch, 1, height, width)
    for index in range(batch):
        mask[index, :, 2 + index : height // 2 + 1, 3 : width // 2 + index] = 1
    return torch.rand(batch, 3, height, width) * 2 - 1, mask


def fill_in_loops(values: list[list[float | None]]) -> list[list[float]]:
    """Of one channel, None where it is not known."""
    height, width = len(values), len(values[0])
    if height == width == 1:
        return [[values[0][0] or 0.0]]
    coarser: list[list[float | None]] = []
    for top in range(0, height, 2):
        coarser.append([])
        for left in range(0, width, 2):
            four = [values[y][x] for y in (top, top + 1) for x in (left, left + 1) if y < height and x < width]
            known = [value for value in four if value is not None]
            coarser[-1].append(sum(known) / len(known) if known else None)
    up = F.interpolate(torch.tensor([[fill_in_loops(coarser)]]).double(), (height, width), mode="bilinear")[0, 0]

    def mixed(filled: list[list[float]]) -> list[list[float]]:
        rows = zip(values, filled, strict=True)
        return [[f if v is None else v for v, f in zip(*row, strict=True)] for row in rows]

    filled = mixed(up.tolist())
    for _ in range(4):
        near = [
            [
                sum(
                    filled[min(max(y + i, 0), height - 1)][min(max(x + j, 0), width - 1)]
                    for i in (-1, 0, 1)
                    for j in (-1, 0, 1)
                )
                / 9
                for x in range(width)
            ]
            for y in range(height)
        ]
        filled = mixed(near)
    return filled


@pytest.mark.parametrize("size", [(8, 8), (9, 14), (1, 5), (16, 3)])
def test_it_is_the_pyramid_of_the_docstring(size: tuple[int, int]) -> None:
    image = torch.rand(1, 2, *size, dtype=torch.float64)
    mask = (torch.rand(1, 1, *size) < 0.7).double()
    mask[..., 0, 0] = 0
    filled = pyramid_fill(image, mask)
    for channel in range(2):
        pairs = zip(image[0, channel].tolist(), mask[0, 0].tolist(), strict=True)
        values = [[None if m else v for v, m in zip(*row, strict=True)] for row in pairs]
        torch.testing.assert_close(filled[0, channel], torch.tensor(fill_in_loops(values)).double())


@pytest.mark.parametrize("filling", [0.7, math.nan, math.inf])
def test_nothing_leaks_out_of_the_hole_and_known_pixels_are_kept(filling: float) -> None:
    image, mask = scene(37, 42)
    filled, hole = pyramid_fill(image, mask), mask.expand_as(image) == 1
    assert torch.equal(pyramid_fill(image.masked_fill(mask == 1, filling), mask), filled)
    assert torch.equal(filled[~hole], image[~hole])
    known = image.where(~hole, torch.tensor(math.nan)).flatten(2)
    assert (filled.amax((2, 3)) <= known.nan_to_num(-9).amax(2)).all()
    assert (filled.amin((2, 3)) >= known.nan_to_num(9).amin(2)).all()


def test_each_image_is_filled_by_itself_and_one_without_known_pixels_is_gray() -> None:
    image, mask = scene()
    both = pyramid_fill(image, mask)
    torch.testing.assert_close(both, torch.cat([pyramid_fill(image[i : i + 1], mask[i : i + 1]) for i in (0, 1)]))
    assert not pyramid_fill(image, torch.ones_like(mask)).any()
    assert pyramid_fill(image.bfloat16(), mask).dtype == torch.bfloat16


def test_it_continues_a_slope_better_than_one_color() -> None:
    _, mask = scene(64, 64)
    image = torch.linspace(-1, 1, 64).expand(2, 3, 64, 64)
    errors = [((fill(image, mask) - image).abs() * mask).sum() for fill in (pyramid_fill, BASELINES.create("mean"))]
    assert errors[0] < errors[1] / 3


# The generator


def test_a_generator_begins_near_the_filling_and_corrects_it() -> None:
    image, mask = scene(32, 44)
    network = CoarseToFineGenerator(width=8, coarse="pyramid").eval()
    coarse, fine = network(image, mask)
    assert torch.equal(coarse, pyramid_fill(image, mask))
    assert 0 < (fine - coarse).abs().mean() < 0.1
    known = mask.expand_as(image) == 0
    assert torch.equal(fine[known], image[known])
    torch.nn.init.zeros_(network.fine_to_image.weight)
    torch.testing.assert_close(network(image, mask).fine, coarse)


@pytest.mark.parametrize("filling", [0.7, math.nan])
def test_nothing_leaks_out_of_the_hole_of_a_generator(filling: float) -> None:
    image, mask = scene()
    network = CoarseToFineGenerator(width=4, coarse="pyramid").eval()
    expected, made = network(image, mask), network(image.masked_fill(mask == 1, filling), mask)
    assert torch.equal(made.coarse, expected.coarse)
    assert torch.equal(made.fine, expected.fine)


def test_without_a_learned_stage_there_are_fewer_weights_and_all_get_gradients() -> None:
    image, mask = scene()
    network = CoarseToFineGenerator(width=8, long_range="none", coarse="pyramid")
    assert not [name for name, _ in network.named_parameters() if name.startswith("coarse")]
    network(image, mask).fine.square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in network.parameters())


def test_an_unknown_first_stage_is_one_sentence() -> None:
    with pytest.raises(InputError, match="coarse must be 'learned' or 'pyramid', got 'biharmonic'"):
        CoarseToFineGenerator(coarse="biharmonic")  # type: ignore[arg-type]

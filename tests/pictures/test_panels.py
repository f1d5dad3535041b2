"""Grids and panels: every picture is where it should be, and no caption is cut."""

import pytest
import torch

from lit_an.pictures.panels import inpainting_panel, layout_panel, sample_grid, to_uint8
from lit_an.pictures.region_colors import overlay, region_palette
from tests.places import enlarged, place_of


def noise(count: int, side: int, channels: int = 3) -> torch.Tensor:
    return torch.rand(count, channels, side, side, generator=torch.Generator().manual_seed(side)) * 2 - 1


def touches_an_edge(sheet: torch.Tensor) -> bool:
    """Whether anything is drawn in the outermost pixels at the left, above or below."""
    return bool((sheet[:, 0] < 255).any() or (sheet[:, -1] < 255).any() or (sheet[:, :, 0] < 255).any())


def test_to_uint8_covers_the_range_and_clips() -> None:
    assert to_uint8(torch.tensor([-1.5, -1.0, 0.0, 1.0, 2.0])).tolist() == [0, 0, 128, 255, 255]


def test_a_grid_has_a_row_for_each_name_in_order_enlarged_by_whole_factors() -> None:
    images = noise(6, 32)
    grid = sample_grid(images, ["first", "second"], ["0", "1", "2"], "iteration 5   run")
    assert grid.dtype == torch.uint8
    places = [place_of(enlarged(to_uint8(image), 4), grid) for image in images]
    tops, lefts = [top for top, _ in places], [left for _, left in places]
    assert tops == [tops[0]] * 3 + [tops[0] + 130] * 3
    assert lefts == [lefts[0], lefts[0] + 130, lefts[0] + 260] * 2
    left, top, below = lefts[0], tops[0], tops[3] + 128
    for row in (top, top + 130):
        assert (grid[:, row : row + 128, :left] < 128).any(), "its name is at the left"
    for column in lefts[:3]:
        assert (grid[:, :top, column : column + 128] < 128).any(), "its number is above"
    assert (grid[:, below:] < 128).any(), "the footer is below"
    assert (sample_grid(images, ["first", "second"])[:, :128, left:] < 255).any(dim=0).any(dim=1).all(), "no line above"


@pytest.mark.parametrize(
    "name", ["tropical rainforest with a river", "a" * 255, "\n".join(["line"] * 40), "猫と犬", "Łódź"]
)
def test_a_name_is_never_cut(name: str) -> None:
    """Everything that a wider and higher sheet would show has a white border around it here as well."""
    image = torch.ones(2, 3, 64, 64)
    for sheet in (
        sample_grid(image, [name, "b"], [name], name),
        layout_panel(image, torch.full((2, 3, 8, 8), 1 / 3), [name, "b"], name),
        inpainting_panel(image, torch.zeros(2, 1, 64, 64), image, image, [name, "b"], name),
    ):
        assert not touches_an_edge(sheet)
    letters = sample_grid(image, [name, "b"], [name], name)
    shorter = sample_grid(image, [name[:-1] or "-", "b"], [name], name)
    assert letters.shape != shorter.shape or not torch.equal(letters, shorter), "its last letter counts"


def test_letters_grow_with_the_pictures() -> None:
    heights = []
    for side in (128, 384):
        grid = sample_grid(torch.ones(1, 3, side, side), ["H"])
        dark = (grid < 128).any(dim=0).any(dim=1).nonzero()
        heights.append(int(dark.max() - dark.min()))
    assert heights[1] == pytest.approx(3 * heights[0], abs=3)


def test_a_panel_shows_image_colors_and_the_soft_map_of_each_region_that_has_a_position() -> None:
    layout = torch.zeros(1, 4, 4, 4)
    layout[:, 0] = 0.25
    layout[:, 2, :, :2] = 0.5
    layout[:, 1] = 0.05  # strongest nowhere
    images = noise(1, 32)
    panel = layout_panel(images, layout, ["desert 0"], "iteration 5   run")
    top, left = place_of(enlarged(to_uint8(images[0]), 4), panel)
    assert place_of(enlarged(overlay(images, layout)[0], 4), panel) == (top, left + 130)
    tile = 63  # two rows of maps beside an image of 128 px
    maps = [
        panel[:, top + y : top + y + tile, left + 260 + x : left + 260 + x + tile] for y in (0, 65) for x in (0, 65)
    ]
    shown = [part[:, 40:, 8].unique().tolist() for part in maps], [part[:, 40:, 56].unique().tolist() for part in maps]
    # Region 0 is 0.25 everywhere, which is its largest; region 2 is half and half; 1 and 3 are left out.
    assert shown == ([[255], [255], [255], [255]], [[255], [255], [0], [255]])
    colors = [part[:, 1, 1].tolist() for part in maps]  # of its number
    white = [255] * 3
    assert colors == [region_palette(1)[0].tolist(), white, region_palette(3)[2].tolist(), white]
    assert (maps[1] == 255).all()
    assert (panel[:, top + 128 :] < 128).any(), "how many are left out is said below"


def test_a_map_keeps_its_place_whatever_the_others_do() -> None:
    images, shapes = noise(1, 32), set()
    for lost in (0, 1, 2):
        layout = torch.full((1, 3, 4, 4), 0.2)
        layout[:, lost, 1:] = 0.1
        shapes.add(layout_panel(images, layout, ["a"], "b").shape)
    assert len(shapes) == 1


@pytest.mark.parametrize("count", [1, 2, 5, 33])
def test_any_number_of_regions_has_a_panel(count: int) -> None:
    panel = layout_panel(noise(2, 24), torch.rand(2, count, 6, 6).softmax(1))
    assert panel.shape[0] == 3


def test_an_inpainting_panel_shows_every_stage() -> None:
    image, coarse, fine = noise(2, 128), noise(2, 130)[..., :128, :128], noise(2, 132)[..., :128, :128]
    mask = torch.zeros(2, 1, 128, 128)
    mask[..., 64:] = 1
    panel = inpainting_panel(image, mask, coarse, fine, ["a.png\nPSNR 20.0", "b.png"], "iteration 5   run")
    erased = torch.where(mask == 1, torch.tensor(128, dtype=torch.uint8), to_uint8(image))
    composite = to_uint8(torch.where(mask == 1, fine, image))
    stages = (to_uint8(image), erased, to_uint8(coarse), to_uint8(fine), composite)
    places = [[place_of(stage[row], panel) for stage in stages] for row in range(2)]
    (top, left), (second, _) = places[0][0], places[1][0]
    assert second == top + 130
    assert places == [[(y, left + 130 * column) for column in range(5)] for y in (top, second)]
    for column in range(5):
        x = left + 130 * column
        assert (panel[:, :top, x : x + 128] < 128).any(), "its name is above"


def test_a_layout_panel_draws_the_outline_of_holes_and_nothing_else() -> None:
    image, layout = torch.full((1, 3, 8, 8), -1.0), torch.full((1, 2, 8, 8), 0.5)
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., 2:6, 2:6] = 1
    plain, drawn = (layout_panel(image, layout, side=8, mask=each) for each in (None, mask))
    outline = torch.zeros(8, 8, dtype=torch.bool)
    outline[2:6, 2:6] = True
    outline[3:5, 3:5] = False
    top, left = place_of(torch.where(outline, 255, 0).to(torch.uint8).expand(3, -1, -1), drawn)
    changed = (plain != drawn).any(dim=0)
    assert torch.equal(changed[top : top + 8, left : left + 8], outline)
    assert torch.equal(changed[top : top + 8, left + 10 : left + 18], outline)
    assert int(changed.sum()) == 2 * int(outline.sum())


def test_a_hole_at_the_border_has_no_outline_there() -> None:
    image, layout = torch.full((1, 3, 4, 4), -1.0), torch.full((1, 2, 4, 4), 0.5)
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., :3] = 1
    plain, drawn = (layout_panel(image, layout, side=4, mask=each) for each in (None, mask))
    columns = (plain != drawn).any(dim=0).any(dim=0).nonzero().flatten().tolist()
    first = place_of(torch.tensor([0, 0, 255, 0], dtype=torch.uint8).expand(3, 4, 4), drawn)[1]
    assert columns == [first + 2, first + 6 + 2]

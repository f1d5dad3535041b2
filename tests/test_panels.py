"""Grids and panels: every picture is where it should be."""

import torch

from lit_an.panels import inpainting_panel, layout_panel, region_palette, sample_grid, to_uint8


def test_to_uint8_covers_the_range_and_clips() -> None:
    assert to_uint8(torch.tensor([-1.5, -1.0, 0.0, 1.0, 2.0])).tolist() == [0, 0, 128, 255, 255]


def test_a_grid_has_a_row_for_each_name_in_order() -> None:
    images = torch.stack([torch.full((3, 32, 32), value) for value in (-1.0, -0.5, 0.0, 0.5, 0.8, 1.0)])
    grid = sample_grid(images, ["first", "second"])
    assert grid.dtype == torch.uint8
    assert grid.shape == (3, 64 + 2 + 64, 72 + 2 + 3 * 64 + 2 * 2)
    centers = [[int(grid[0, row, 74 + 32 + column * 66]) for column in range(3)] for row in (32, 98)]
    assert centers == [[0, 64, 128], [191, 230, 255]]
    assert (grid[:, :64, :72] == 0).any(), "the name is written"


def test_a_panel_shows_image_strongest_region_and_each_soft_map() -> None:
    layout = torch.zeros(1, 3, 4, 4)
    layout[:, 2] = 0.75
    layout[:, 0] = 0.25
    panel = layout_panel(torch.zeros(1, 3, 16, 16), layout)
    assert panel.shape == (3, 18 + 2 + 64, 5 * 64 + 4 * 2)
    row = panel[:, 52]
    centers = [row[:, 32 + 66 * column].tolist() for column in range(5)]
    assert centers == [[128] * 3, region_palette(3)[2].tolist(), [64] * 3, [0] * 3, [191] * 3]


def test_colors_are_fixed_and_distinct() -> None:
    palette = region_palette(32)
    assert torch.equal(palette[:16], region_palette(16))
    distance = torch.cdist(palette[:16].float(), palette[:16].float()) + 1e3 * torch.eye(16)
    assert distance.min() > 30


def test_an_inpainting_panel_shows_every_stage() -> None:
    image, coarse, fine = (torch.full((2, 3, 8, 8), value) for value in (1.0, 0.0, -1.0))
    mask = torch.zeros(2, 1, 8, 8)
    mask[..., 4:] = 1
    panel = inpainting_panel(image, mask, coarse, fine, side=8)
    assert panel.shape == (3, 18 + 2 + 8 + 2 + 8, 5 * 8 + 4 * 2)
    row = panel[0, 20:28].split([8, 2, 8, 2, 8, 2, 8, 2, 8], dim=1)
    truth, erased, first, last, composite = row[::2]
    assert truth.unique().tolist() == [255]
    assert (erased[:, :4].unique().tolist(), erased[:, 4:].unique().tolist()) == ([255], [128])
    assert (first.unique().tolist(), last.unique().tolist()) == ([128], [0])
    assert (composite[:, :4].unique().tolist(), composite[:, 4:].unique().tolist()) == ([255], [0])


def test_a_layout_panel_draws_the_outline_of_holes_and_nothing_else() -> None:
    image, layout = torch.full((1, 3, 8, 8), -1.0), torch.full((1, 2, 8, 8), 0.5)
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., 2:6, 2:6] = 1
    plain, drawn = (layout_panel(image, layout, side=8, mask=each)[:, 20:] for each in (None, mask))
    outline = torch.zeros(8, 8, dtype=torch.bool)
    outline[2:6, 2:6] = True
    outline[3:5, 3:5] = False
    for place in (slice(0, 8), slice(10, 18)):
        assert torch.equal((drawn[:, :, place] == 255).all(0), outline)
    assert torch.equal(plain[:, :, 20:], drawn[:, :, 20:])
    assert not torch.equal(plain[:, :, 10:18], drawn[:, :, 10:18])


def test_a_hole_at_the_border_has_no_outline_there() -> None:
    image, layout = torch.full((1, 3, 4, 4), -1.0), torch.full((1, 2, 4, 4), 0.5)
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., :3] = 1
    drawn = layout_panel(image, layout, side=4, mask=mask)[:, 20:, :4]
    assert (drawn == 255).all(0).int().tolist() == [[0, 0, 1, 0]] * 4

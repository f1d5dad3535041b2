"""Colors of regions: fixed, told apart with every kind of color vision, and laid over an image."""

import numpy as np
import pytest
import torch

from lit_an.pictures.region_colors import overlay, region_palette

# Machado, Oliveira and Fernandes, IEEE TVCG 2009, severity 1, for linear RGB.
SEEN_BY = {
    "all cones": np.eye(3),
    "no red cones": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "no green cones": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
}


def least_difference(count: int, seen_by: str, strength: float = 1.0) -> float:
    """Smallest CIEDE2000 of two of the first colors, as someone sees them over one gray."""
    color = pytest.importorskip("skimage.color")
    colors = strength * region_palette(count).numpy() / 255 + (1 - strength) * 0.5
    linear = np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(SEEN_BY[seen_by]).T, 0, 1)
    lab = color.xyz2lab(seen @ np.array(color.colorconv.xyz_from_rgb).T)
    difference = color.deltaE_ciede2000(lab[:, None], lab[None])
    return float(difference[~np.eye(count, dtype=bool)].min())


@pytest.mark.parametrize("seen_by", SEEN_BY)
@pytest.mark.parametrize(("count", "least"), [(16, 11.4), (32, 8.0)])
def test_every_kind_of_color_vision_tells_them_apart(seen_by: str, count: int, least: float) -> None:
    """A difference of 2.3 is just noticeable side by side; matplotlib's tab20 has 1.1 here at sixteen."""
    assert least_difference(count, seen_by) > least


@pytest.mark.parametrize("seen_by", SEEN_BY)
def test_so_they_are_over_gray(seen_by: str) -> None:
    assert least_difference(16, seen_by, strength=0.65) > 6


def test_a_color_does_not_depend_on_how_many_there_are() -> None:
    every = region_palette(100)
    assert every.dtype == torch.uint8
    assert every.shape == (100, 3)
    for count in (0, 1, 7, 33):
        assert torch.equal(region_palette(count), every[:count])


def test_an_overlay_is_the_gray_image_under_the_color_of_the_strongest_region() -> None:
    image = torch.tensor([-1.0, 0.0, 1.0])[None, :, None, None].expand(2, 3, 4, 4)  # black, gray and white channels
    layout = torch.zeros(2, 3, 2, 2)
    layout[0, 1], layout[1, 2] = 0.4, 0.4
    layout[:, :, 0, 0] = torch.tensor([0.5, 0.2, 0.3])
    gray = 127.5 * 0.587 + 255 * 0.114
    made = overlay(image, layout, strength=0.25)
    assert made.shape == (2, 3, 4, 4)
    for number, place, region in ((0, (0, 0), 0), (0, (1, 1), 0), (0, (3, 3), 1), (1, (0, 2), 2)):
        expected = 0.25 * region_palette(3)[region].float() + 0.75 * gray
        assert (made[number, :, place[0], place[1]].float() - expected).abs().max() <= 0.51

"""Squares of pictures: which part is shown, that nothing else is, and that regions are cut alike."""

import numpy as np
import pytest
import torch
from PIL import Image

from lit_an.data.cropping import Box, Cropping, check_cropping, nearest
from lit_an.data.transforms import to_tensor, to_unit_range
from lit_an.errors import InputError
from tests.photo_folders import gradient

SEEDS = range(300)


@pytest.mark.parametrize("size", [(48, 36), (36, 48), (37, 37), (5, 90)])
@pytest.mark.parametrize("seed", [None, 3])
def test_center_is_the_middle_of_the_long_side(size: tuple[int, int], seed: int | None) -> None:
    image, side = gradient(*size), min(size)
    left, top = ((length - side) // 2 for length in size)
    middle = Image.fromarray(np.asarray(image)[top : top + side, left : left + side])
    ours, _ = Cropping(16, "center").cut(image, None, seed)
    assert ours.dtype == torch.uint8
    assert torch.equal(ours, to_tensor(middle.resize((16, 16), Image.Resampling.LANCZOS)))


@pytest.mark.parametrize("size", [(60, 20), (20, 60)])
@pytest.mark.parametrize("side", [20, 10, 40])
def test_nothing_beside_the_center_square_is_seen(size: tuple[int, int], side: int) -> None:
    image = Image.new("RGB", size, "red")
    image.paste("blue", (20, 0, 40, 20) if size[0] > size[1] else (0, 20, 20, 40))
    assert (np.asarray(Cropping(side).square(image)) == [0, 0, 255]).all()


def test_an_image_of_the_right_size_is_left_alone() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (32, 33, 3), dtype=np.uint8)
    assert (np.asarray(Cropping(32).square(Image.fromarray(noise))) == noise[:, :32]).all()


def test_shrinking_is_antialiased() -> None:
    """Stripes one pixel wide average to gray; picking pixels would leave black or white."""
    stripes = np.zeros((64, 64, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    inner = np.asarray(Cropping(8).square(Image.fromarray(stripes)))[:, 1:-1].astype(int)
    assert np.abs(inner - 127.5).max() < 12


def test_random_is_center_where_nothing_is_random() -> None:
    assert Cropping(16, "random", 0.3).box(48, 36, None) == Cropping(16, "center").box(48, 36, None)


def test_random_boxes_have_the_scales_and_places_they_may_have() -> None:
    boxes = [Cropping(16, "random", 0.5).box(60, 40, seed) for seed in SEEDS]
    assert all(box.width == box.height and 20 <= box.width <= 40 for box in boxes)
    assert all(0 <= box.left <= 60 - box.width and 0 <= box.top <= 40 - box.height for box in boxes)
    assert {box.width for box in boxes} == set(range(20, 41))
    assert min(box.left for box in boxes) == 0
    assert max(box.left + box.width for box in boxes) == 60
    assert max(box.top + box.height for box in boxes) == 40
    center = np.mean([box.left + box.width / 2 for box in boxes])
    assert 27 < center < 33


def test_a_least_share_of_one_slides_along_the_long_side_only() -> None:
    boxes = [Cropping(16, "random", 1.0).box(94, 54, seed) for seed in SEEDS]
    assert {(box.top, box.width, box.height) for box in boxes} == {(0, 54, 54)}
    assert {box.left for box in boxes} == set(range(41))


def test_a_box_depends_on_its_seed_alone() -> None:
    cropping = Cropping(16, "random", 0.5)
    assert [cropping.box(60, 40, seed) for seed in SEEDS] == [cropping.box(60, 40, seed) for seed in SEEDS]


def test_resize_shows_everything() -> None:
    cropping = Cropping(32, "resize")
    assert cropping.box(60, 40, 5) == Box(0, 0, 60, 40)
    square = to_unit_range(cropping.cut(gradient(60, 40), None, 5)[0])
    assert square[0, :, -1].min() > 0.95
    assert square[1, -1].min() > 0.95
    assert square[0, :, 0].max() < -0.95


@pytest.mark.parametrize(("size", "crop"), [((16, 16), "center"), ((16, 16), "random"), ((20, 16), "center")])
def test_pixels_at_hand_are_cut_like_a_picture(size: tuple[int, int], crop: str) -> None:
    """Also where nothing has to be done, which is done in another way."""
    image, regions = gradient(*size), np.arange(size[0] * size[1]).reshape(size[::-1])
    cropping = Cropping(16, crop, 0.5)  # type: ignore[arg-type]
    for seed in (None, 1, 2):
        ours, theirs = (cropping.cut(given, regions, seed) for given in (to_tensor(image), image))
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(20))
def test_nothing_outside_the_box_is_seen(seed: int) -> None:
    """Poison around the box changes no pixel: no filter looks over the edge."""
    image, cropping = gradient(60, 40), Cropping(16, "random", 0.4)
    box = cropping.box(60, 40, seed)
    pixels = np.full((40, 60, 3), 255, dtype=np.uint8)
    inside = np.s_[box.top : box.top + box.height, box.left : box.left + box.width]
    pixels[inside] = np.asarray(image)[inside]
    plain, _ = cropping.cut(image, None, seed)
    poisoned, _ = cropping.cut(Image.fromarray(pixels), None, seed)
    assert torch.equal(plain, poisoned)
    plain = to_unit_range(plain)
    left, right = (value * 2 / 59 - 1 for value in (box.left, box.left + box.width - 1))
    assert left - 0.05 < plain[0].min() < left + 0.1
    assert right - 0.1 < plain[0].max() < right + 0.05


@pytest.mark.parametrize("crop", ["center", "random", "resize"])
def test_regions_are_cut_where_the_image_is(crop: str) -> None:
    """Regions that say where red is above its middle still do after any crop."""
    image = gradient(120, 80)
    regions = (np.asarray(image)[..., 0] > 127).astype(np.uint8) + 2 * (np.asarray(image)[..., 1] > 127)
    for seed in range(20):
        square, found = Cropping(16, crop, 0.4).cut(image, regions.astype(np.uint8), seed)  # type: ignore[arg-type]
        assert found is not None
        assert found.dtype == torch.int64
        square = to_unit_range(square)
        clear = (square[:2].abs() > 0.1).all(0)  # the pixel of the border may be of either side
        expected = (square[0] > 0).long() + 2 * (square[1] > 0).long()
        assert torch.equal(found[clear], expected[clear])


def test_the_side_to_read_leaves_a_crop_its_pixels() -> None:
    cropping = Cropping(64, "random", 0.25)
    for seed in SEEDS:
        side = cropping.side_to_read(seed)
        assert cropping.box(side, side, seed).width >= 64
    assert Cropping(64, "center").side_to_read(3) == 64
    assert cropping.side_to_read(None) == 64


@pytest.mark.parametrize(("start", "length", "number"), [(0, 5, 5), (7, 10, 3), (2, 3, 9)])
def test_nearest_is_the_pixel_under_the_center(start: int, length: int, number: int) -> None:
    expected = [start + int((i + 0.5) * length / number) for i in range(number)]
    assert nearest(start, length, number).tolist() == expected


@pytest.mark.parametrize(
    ("cropping", "sentence"),
    [
        (Cropping(8, "middle"), "crop must be one of center, random, resize, got 'middle'"),  # type: ignore[arg-type]
        (Cropping(8, "random", 0.0), "min_scale must be above 0 and at most 1, got 0.0"),
        (Cropping(8, "random", 1.5), "min_scale must be above 0 and at most 1, got 1.5"),
    ],
)
def test_values_that_cannot_be(cropping: Cropping, sentence: str) -> None:
    with pytest.raises(InputError, match=f"^data: {sentence}$"):
        check_cropping(cropping)

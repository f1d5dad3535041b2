"""Rectangles: the published ones, margins, the middle."""

from lit_an.masks import Center, Rectangle
from tests.masks.drawing import drawn


def test_rectangles_are_the_papers() -> None:
    holes = drawn(Rectangle(), 400, 256)
    rows, columns = holes.any(2), holes.any(1)
    assert (holes == rows[:, :, None] & columns[:, None, :]).all(), "rectangles"
    for sides in (rows.sum(1), columns.sum(1)):
        assert sorted(set(sides.tolist())) == list(range(96, 129, 2))
    assert (rows.sum(1) != columns.sum(1)).any()
    top, bottom = rows.int().argmax(1), 255 - rows.flip(1).int().argmax(1)
    assert top.min() < 10
    assert bottom.max() > 245
    assert holes.float().mean((1, 2)).min() >= (96 / 256) ** 2


def test_a_rectangle_keeps_its_margin() -> None:
    holes = drawn(Rectangle(margin=0.125), 100, 64)
    assert not holes[:, :8].any()
    assert not holes[:, -8:].any()
    assert not holes[:, :, :8].any()
    assert not holes[:, :, -8:].any()
    assert holes[:, 8].any()
    assert holes[:, :, -9].any()


def test_the_center_is_in_the_middle() -> None:
    hole = Center().draw(256, 256, 0)[0]
    assert hole.sum() == 128 * 128
    assert hole[64:192, 64:192].all()

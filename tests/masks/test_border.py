"""Frames and halves."""

import numpy as np
import torch

from lit_an.masks import Border, Half
from tests.masks.drawing import drawn


def test_a_border_leaves_the_middle() -> None:
    holes = drawn(Border(min_width=0.1, max_width=0.25), 100, 100)
    assert not holes[:, 25:75, 25:75].any()
    for edge in (holes[:, :10], holes[:, -10:], holes[:, :, :10], holes[:, :, -10:]):
        assert edge.all()
    widths = (~holes[:, 50]).int().argmax(1)
    assert sorted(set(widths.tolist())) == list(range(10, 26))


def test_a_border_may_have_some_sides_only() -> None:
    holes = drawn(Border(side_probability=0.0), 200, 50)
    sides = torch.stack([holes[:, 0].all(1), holes[:, -1].all(1), holes[:, :, 0].all(1), holes[:, :, -1].all(1)], 1)
    assert (sides.sum(1) == 1).all()
    assert sides.any(0).all()
    sometimes = drawn(Border(side_probability=0.5), 200, 50)
    assert 0.4 < sometimes[:, 0].all(1).float().mean() < 0.65


def test_halves() -> None:
    for side, known in (("left", np.s_[:, 3:]), ("right", np.s_[:, :4]), ("top", np.s_[3:]), ("bottom", np.s_[:3])):
        hole = Half(side=side).draw(6, 7, 0)[0]  # type: ignore[arg-type]
        assert not hole[known].any()
        assert hole.sum() in (6 * 3, 7 * 3)
    assert {tuple(Half().draw(4, 4, seed).flatten().tolist()) for seed in range(50)} == {
        tuple(Half(side).draw(4, 4, 0).flatten().tolist())  # type: ignore[arg-type]
        for side in ("left", "right", "top", "bottom")
    }

"""Free-form holes: how large they are, at any size."""

import torch

from lit_an.masks import FreeForm
from tests.masks.drawing import drawn


def test_free_form_holes_scale_with_the_image() -> None:
    shares = [drawn(FreeForm(), 200, size).float().mean((1, 2)) for size in (64, 256)]
    assert 0.25 < shares[1].mean() < 0.45
    assert abs(float(shares[0].mean() - shares[1].mean())) < 0.05
    more = drawn(FreeForm(parts=16, max_width=40), 100).float().mean()
    assert more > shares[1].mean() + 0.1


def test_a_stroke_of_one_segment_is_no_larger_than_it_may_be() -> None:
    holes = drawn(FreeForm(parts=1, max_vertices=1, max_length=80, min_width=10, max_width=20), 200, 256)
    rows, columns = holes.any(2).sum(1), holes.any(1).sum(1)
    assert torch.hypot(rows.float(), columns.float()).max() <= (80 + 20) * 2**0.5
    assert holes.flatten(1).sum(1).max() <= 80 * 21 + 22 * 22
    assert torch.minimum(rows, columns).min() >= 4, "half a brush of 10 at least, where one begins at the border"

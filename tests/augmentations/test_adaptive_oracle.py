"""ADA's moves and colors, one after the other as published, and what it draws."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

import lit_an.augmentations.adaptive as adaptive
from lit_an.augmentations import AdaptiveAugmentation
from lit_an.augmentations.color import hue_matrix, luma_flip_matrix, saturation_matrix

SIZE = 16


def fix_draws(monkeypatch: pytest.MonkeyPatch, **values: Any) -> list[tuple[Any, ...]]:
    """Makes the draws of a kind, in their order, the given numbers, else 0; returns what was asked for."""
    asked: list[tuple[Any, ...]] = []

    class Fixed(adaptive._Draws):
        def _next(self, kind: str, *arguments: Any) -> Tensor:
            position = sum(call[0] == kind for call in asked)
            asked.append((kind, *arguments))
            given = values.get(kind, [])
            value = torch.tensor(given[position] if position < len(given) else 0.0, dtype=torch.float64)
            axes = arguments[1:]
            return value.expand(*axes).unsqueeze(-1).expand(*axes, *self.size) if axes else value.expand(self.size)

        def sometimes(self, value: Tensor) -> Tensor:
            return self._next("turns").long()

        def coin(self) -> Tensor:
            return self._next("coin") > 0

        def uniform(self, largest: float, *axes: int) -> Tensor:
            return self._next("uniform", largest, *axes)

        def normal(self, deviation: float, *axes: int) -> Tensor:
            return self._next("normal", deviation, *axes)

    monkeypatch.setattr(adaptive, "_Draws", Fixed)
    return asked


def ramps() -> Tensor:
    """(1, 3, SIZE, SIZE): the row and the column of each pixel, from the center, and 0."""
    position = torch.arange(SIZE, dtype=torch.float64) - (SIZE - 1) / 2
    rows, columns = torch.meshgrid(position, position, indexing="ij")
    return torch.stack([rows, columns, torch.zeros_like(rows)])[None]


# log_scale, log_stretch, fractions; then shifts. Expected: (row, column) that is seen at (row, column).
MOVES: dict[str, tuple[dict[str, Any], Any]] = {
    "nothing": ({}, lambda y, x: (y, x)),
    "whole pixels": ({"uniform": [[1 / 16, -2 / 16]]}, lambda y, x: (y - 1, x + 2)),
    "shifts are rounded": ({"uniform": [[1.4 / 16, -1.6 / 16]]}, lambda y, x: (y - 1, x + 2)),
    "fractions": ({"normal": [0.0, 0.0, [0.5 / 16, -1.25 / 16]]}, lambda y, x: (y - 0.5, x + 1.25)),
    "larger": ({"normal": [1.0]}, lambda y, x: (y / 2, x / 2)),
    "smaller": ({"normal": [-1.0]}, lambda y, x: (y * 2, x * 2)),
    "wider": ({"normal": [0.0, 1.0]}, lambda y, x: (y * 2, x / 2)),
    "shifted, then larger": ({"uniform": [[1 / 16, 0.0]], "normal": [1.0]}, lambda y, x: (y / 2 - 1, x / 2)),
    "larger, then moved": ({"normal": [1.0, 0.0, [1 / 16, 0.0]]}, lambda y, x: ((y - 1) / 2, x / 2)),
    "mirrored": ({"coin": [1.0]}, lambda y, x: (y, -x)),
    "mirrored, then shifted": ({"coin": [1.0], "uniform": [[0.0, 1 / 16]]}, lambda y, x: (y, -(x - 1))),
    "turned": ({"turns": [1.0]}, lambda y, x: (x, -y)),
    "turned, then shifted": ({"turns": [1.0], "uniform": [[2 / 16, 1 / 16]]}, lambda y, x: (x - 1, -(y - 2))),
}


@pytest.mark.parametrize("name", MOVES)
def test_moves_come_in_the_published_order(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On ramps linear interpolation and symmetric filters are exact: each pixel says where it is from."""
    draws, seen_at = MOVES[name]
    fix_draws(monkeypatch, **draws)
    image = ramps()
    moved = adaptive._moved(image, torch.tensor(1.0))
    rows, columns = seen_at(image[0, 0], image[0, 1])
    reach = (SIZE - 1) / 2 - 2  # beyond it the border is mirrored, or within a filter's reach
    inside = (rows.abs() <= reach) & (columns.abs() <= reach)
    assert inside.sum() >= 16
    for channel, expected in enumerate((rows, columns, torch.zeros_like(rows))):
        torch.testing.assert_close(moved[0, channel][inside], expected[inside])


def test_colors_change_in_the_published_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Brightness, contrast, mirrored luma, hue, saturation."""
    fix_draws(monkeypatch, normal=[0.3, 0.7, -0.6], coin=[1.0], uniform=[0.9])
    image = torch.randn(2, 3, 4, 5, dtype=torch.float64)
    changed = adaptive._recolored(image, torch.tensor(1.0))
    one, angle = torch.ones(1, dtype=torch.float64), torch.full((1,), 0.9, dtype=torch.float64)
    colors = (image + 0.3) * 2**0.7
    for matrix in (luma_flip_matrix(one), hue_matrix(angle), saturation_matrix(one * 2**-0.6)):
        colors = torch.einsum("cd,bdhw->bchw", matrix[0], colors)
    torch.testing.assert_close(changed, colors)


def test_strengths_and_defaults_are_the_published_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = fix_draws(monkeypatch)
    image = torch.randn(1, 3, 8, 8, dtype=torch.float64)
    adaptive._moved(image, torch.tensor(1.0))
    kinds = ("normal", "uniform")
    assert [call for call in asked if call[0] in kinds] == [
        ("normal", 0.2),
        ("normal", 0.2),
        ("uniform", 0.125, 2),
        ("normal", 0.125, 2),
    ]
    asked.clear()
    adaptive._recolored(image, torch.tensor(1.0))
    assert [call for call in asked if call[0] in kinds] == [
        ("normal", 0.2),
        ("normal", 0.5),
        ("normal", 1.0),
        ("uniform", math.pi),
    ]
    ada = AdaptiveAugmentation()
    assert (ada.target, ada.images_to_full, ada.adapt_every, ada.max_probability) == (0.6, 500_000, 4, 1.0)
    assert ada.state() == {"probability": 0.0, "signs": 0.0, "images": 0, "batches": 0}


def test_draws_have_their_distributions() -> None:
    draws = adaptive._Draws(torch.zeros(20_000, 1), torch.tensor(0.4))
    always = adaptive._Draws(torch.zeros(20_000, 1), torch.tensor(1.0))
    happens = draws.sometimes(torch.full((20_000,), 5.0))
    assert set(happens.tolist()) == {0.0, 5.0}
    assert (happens > 0).float().mean().item() == pytest.approx(0.4, abs=0.02)
    assert draws.coin().float().mean().item() == pytest.approx(0.2, abs=0.02)
    assert always.coin().float().mean().item() == pytest.approx(0.5, abs=0.02)
    uniform = always.uniform(3.0, 2)
    assert uniform.shape == (2, 20_000)
    assert uniform.mean().item() == pytest.approx(0, abs=0.05)
    assert uniform.std().item() == pytest.approx(3 / 3**0.5, abs=0.05)
    assert (uniform.min().item(), uniform.max().item()) == pytest.approx((-3, 3), abs=0.01)
    normal = always.normal(2.0)
    assert (normal.mean().item(), normal.std().item()) == pytest.approx((0, 2), abs=0.06)
    # Both axes happen together, or neither.
    assert ((draws.uniform(1.0, 2) != 0).sum(0) % 2 == 0).all()


def test_a_window_counts_signs_and_starts_anew() -> None:
    ada = AdaptiveAugmentation(adapt_every=2, images_to_full=100)
    ada.observe(torch.tensor([2.0, 0.5, -3.0, 1.0], requires_grad=True))
    assert ada.state() == {"probability": 0.0, "signs": 2.0, "images": 4, "batches": 1}
    assert not ada._signs.requires_grad
    ada.observe(torch.ones(4))
    # E sign is 6 / 8, above the target of 0.6.
    assert ada.state() == pytest.approx({"probability": 0.08, "signs": 0.0, "images": 0, "batches": 0})


def test_an_image_with_several_logits_counts_once() -> None:
    """As one logit each of which is decided as much as they are on average."""
    ada = AdaptiveAugmentation(adapt_every=2)
    ada.observe(torch.tensor([[2.0, 0.5, -3.0, 1.0], [1.0, 1.0, 1.0, 1.0]]))
    assert ada.state() == {"probability": 0.0, "signs": 1.5, "images": 2, "batches": 1}

"""Scalars that show a collapsing game."""

from pathlib import Path
from typing import Any

import pytest
import torch

from callbacks import MetricsCSV
from lit_an.tasks.collapse import game_scalars, relative_spread, relative_spread_in_holes
from tests.training import logged_rows, make_data, make_inpainting_task, make_photographs, make_task, make_trainer

NAMES = {f"discriminator/{name}" for name in ("real_logits", "fake_logits", "accuracy")} | {"generator/spread"}


def test_accuracy_is_the_share_of_pairs_told_apart() -> None:
    logits = torch.randn(7, 1, 3, 3)
    for shift, expected in ((1e-3, 1.0), (-1e-3, 0.0), (0.0, 0.5)):
        assert float(game_scalars(logits + shift, logits)["accuracy"]) == expected
    scalars = game_scalars(logits + 2, logits)
    assert float(scalars["real_logits"] - scalars["fake_logits"]) == pytest.approx(2, rel=1e-5)


def test_spread_is_the_root_of_the_mean_variance_over_the_batch() -> None:
    fake, real = torch.randn(5, 3, 4, 6), torch.randn(5, 3, 4, 6)
    literal = [
        sum(
            float(((x[:, c, i, j] - x[:, c, i, j].mean()) ** 2).mean())
            for c in range(3)
            for i in range(4)
            for j in range(6)
        )
        for x in (fake, real)
    ]
    assert float(relative_spread(fake, real)) == pytest.approx((literal[0] / literal[1]) ** 0.5, rel=1e-5)
    assert float(relative_spread(real[:1].expand_as(real), real)) == pytest.approx(0, abs=1e-6)
    assert relative_spread(real[:1], real[:1]).isfinite()


def test_spread_in_holes_sees_the_holes_only() -> None:
    fake, real = torch.randn(4, 3, 8, 8), torch.randn(4, 3, 8, 8)
    mask = (torch.rand(4, 1, 8, 8) < 0.3).float()
    literal = []
    for images in (fake, real):
        inside = [images[:, c][mask[:, 0] > 0] for c in range(3)]
        literal.append(sum(float(((x - x.mean()) ** 2).mean()) for x in inside) / 3)
    expected = (literal[0] / literal[1]) ** 0.5
    assert float(relative_spread_in_holes(fake, real, mask)) == pytest.approx(expected, rel=1e-4)
    outside = fake + 100 * (1 - mask)
    assert float(relative_spread_in_holes(outside, real, mask)) == pytest.approx(expected, rel=1e-3)
    assert relative_spread_in_holes(fake, real, torch.zeros_like(mask)) == 0


@pytest.mark.parametrize("make", [make_task, make_inpainting_task])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_they_are_logged_and_no_part_of_the_loss(
    accumulate: int, make: Any, tmp_path: Path, image_folder: Path
) -> None:
    task = make(accumulate=accumulate)
    data = make_data(image_folder) if make is make_task else make_photographs(image_folder)
    options: dict[str, Any] = {"logger": MetricsCSV(str(tmp_path)), "log_every_n_steps": 2, "limit_val_batches": 0}
    make_trainer(tmp_path, task, 4, **options).fit(task, datamodule=data)
    rows = logged_rows(tmp_path, "train/")
    assert list(rows) == [2, 4]
    for row in rows.values():
        assert {f"train/{name}" for name in NAMES} <= set(row)
        assert 0 <= row["train/discriminator/accuracy"] <= 1
        assert row["train/generator/spread"] >= 0


@pytest.mark.parametrize("make", [make_task, make_inpainting_task])
def test_an_update_in_parts_shows_the_means_of_its_parts(
    make: Any, tmp_path: Path, image_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, torch.Tensor]] = []

    def observe(*logits: torch.Tensor) -> dict[str, torch.Tensor]:
        seen.append(game_scalars(*logits))
        return seen[-1]

    task = make(accumulate=2)
    monkeypatch.setattr(f"{type(task).__module__}.game_scalars", observe)
    data = make_data(image_folder) if make is make_task else make_photographs(image_folder)
    make_trainer(tmp_path, task, 1, logger=MetricsCSV(str(tmp_path)), limit_val_batches=0).fit(task, datamodule=data)
    row = logged_rows(tmp_path, "train/discriminator/")[1]
    first, second = seen
    for name in ("real_logits", "fake_logits", "accuracy"):
        mean = float(first[name] + second[name]) / 2
        assert row[f"train/discriminator/{name}"] == pytest.approx(mean, rel=1e-5)
    assert first["real_logits"] != second["real_logits"]


def test_parts_of_one_image_have_no_spread(tmp_path: Path, image_folder: Path) -> None:
    task = make_task(accumulate=4)
    trainer = make_trainer(tmp_path, task, 1, logger=MetricsCSV(str(tmp_path)), limit_val_batches=0)
    trainer.fit(task, datamodule=make_data(image_folder))
    assert {name.removeprefix("train/") for name in logged_rows(tmp_path, "train/")[1]} & NAMES == NAMES - {
        "generator/spread"
    }


def test_equal_images_show(tmp_path: Path, image_folder: Path) -> None:
    task = make_task()
    with torch.no_grad():
        task.generator.to_image.bias.fill_(1e3)  # type: ignore[union-attr, operator]  # white
    trainer = make_trainer(tmp_path, task, 1, logger=MetricsCSV(str(tmp_path)), limit_val_batches=0)
    trainer.fit(task, datamodule=make_data(image_folder))
    assert logged_rows(tmp_path, "train/")[1]["train/generator/spread"] == pytest.approx(0, abs=1e-4)

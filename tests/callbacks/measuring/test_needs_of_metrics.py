"""A run that its metrics would end at the first validation ends before it trains."""

from pathlib import Path

import pytest
from PIL import Image

from callbacks import InpaintingMetrics
from lit_an.errors import InputError
from tests.training import make_inpainting_task, make_photographs, make_trainer

METRICS = {"extractor": None, "lpips": None}


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    for number in range(4):
        Image.new("RGB", (36, 34), (60 * number, 9, 9)).save(tmp_path / "photos" / f"{number}.png")
    return tmp_path / "photos"


def test_too_few_images_are_said_before_training(tmp_path: Path, photographs: Path) -> None:
    task, data = make_inpainting_task(), make_photographs(photographs)
    assert len(data.dataset("val")) == 1
    trainer = make_trainer(tmp_path, task, 2, [InpaintingMetrics(**METRICS)], val_check_interval=1)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="InpaintingMetrics: the split 'val' has 1 images, too few to measure with"):
        trainer.fit(task, datamodule=data)
    assert task.iteration == 0


def test_a_run_that_never_validates_needs_none(tmp_path: Path, photographs: Path) -> None:
    task = make_inpainting_task()
    metrics = InpaintingMetrics(**METRICS)  # type: ignore[arg-type]
    make_trainer(tmp_path, task, 1, [metrics], limit_val_batches=0).fit(task, datamodule=make_photographs(photographs))
    assert task.iteration == 1
    assert metrics.data_problems(make_photographs(photographs, val_fraction=0.7)) == []

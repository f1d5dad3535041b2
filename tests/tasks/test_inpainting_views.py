"""What a person sees of an inpainting run: panels, grids, regions, a fixed preview, the figures of a validation."""

from pathlib import Path
from typing import Any

import pytest
import torch

from callbacks import InpaintingMetrics, InpaintingPanelLogger, SampleGridLogger, SemanticLayoutLogger
from lit_an.errors import InputError
from tests.training import make_data, make_inpainting_task, make_photographs, make_task, make_trainer


def test_panels_grids_and_regions_are_logged(tmp_path: Path, image_folder: Path) -> None:
    task = make_inpainting_task()
    callbacks: list[Any] = [
        InpaintingPanelLogger(1, rows=3),
        SemanticLayoutLogger(1, images_per_row=2, measured_per_row=3),
        SampleGridLogger(1, columns=3),
    ]
    make_trainer(tmp_path, task, 1, callbacks).fit(task, datamodule=make_photographs(image_folder))
    found = {str(path.relative_to(tmp_path).parent) for path in tmp_path.rglob("iteration_0000001.png")}
    assert found == {"inpainting", "samples", "layouts/long_range.5.norm"}


def test_the_preview_is_fixed_and_leaves_training_as_it_was(tmp_path: Path, image_folder: Path) -> None:
    task = make_inpainting_task()
    make_trainer(tmp_path, task, 1).fit(task, datamodule=make_photographs(image_folder))
    task.train()
    state = torch.random.get_rng_state()
    first, second = task.preview(3, 8), task.preview(3, 8)
    assert torch.equal(first.images, second.images)
    assert first.mask is not None
    assert (first.images.shape, first.mask.shape, first.row_names) == ((3, 3, 32, 32), (3, 1, 32, 32), ["val"])
    assert torch.equal(state, torch.random.get_rng_state())
    assert task.training
    assert task.generator.training


def test_double_precision_has_pictures_and_figures(tmp_path: Path, image_folder: Path) -> None:
    """What is shown and measured does not pass through the trainer's loop, which converts its batches."""
    task = make_inpainting_task()
    metrics = InpaintingMetrics(images=2, extractor=None, lpips=None, baselines=[])
    callbacks: list[Any] = [InpaintingPanelLogger(1), SemanticLayoutLogger(1), metrics]
    trainer = make_trainer(tmp_path, task, 1, callbacks, precision="64-true")
    trainer.fit(task, datamodule=make_photographs(image_folder))
    assert next(task.parameters()).dtype == torch.float64
    assert (tmp_path / "metrics_val_0000001.json").is_file()


def test_validation_logs_the_game(tmp_path: Path, image_folder: Path) -> None:
    of_game = {"discriminator/adversarial", "generator/adversarial", "real_logits", "fake_logits"}
    for adversarial_from, more in ((None, set()), (0, {f"val/{name}" for name in of_game})):
        task = make_inpainting_task(adversarial_from=adversarial_from)
        trainer = make_trainer(tmp_path, task, 1)
        (logged,) = trainer.validate(task, datamodule=make_photographs(image_folder), verbose=False)
        assert logged.keys() == {"val/generator/hole", "val/generator/context", "step"} | more


def test_a_panel_of_stages_needs_stages(tmp_path: Path, image_folder: Path) -> None:
    task = make_task()
    with pytest.raises(InputError, match="needs a task that fills holes, and ClassConditionalGAN does not"):
        make_trainer(tmp_path, task, 1, [InpaintingPanelLogger(1)]).fit(task, datamodule=make_data(image_folder))

"""Layouts are calibrated once, before a new training, on what the networks get."""

from pathlib import Path
from typing import Any

import pytest
import torch

from callbacks import GeneratorEMA, LayoutCalibration, SemanticLayoutLogger
from lit_an.errors import InputError
from lit_an.metrics.layout import layout_statistics
from lit_an.networks import ProjectionDiscriminator
from lit_an.norms.recording import recorded_layouts
from lit_an.tasks import AdversarialTask, ClassConditionalGAN
from tests.training import ADAM, make_data, make_inpainting_task, make_photographs, make_task, make_trainer


def fit(folder: Path, task: AdversarialTask, data: Any, *callbacks: Any, **kwargs: Any) -> None:
    make_trainer(folder, task, 1, list(callbacks)).fit(task, datamodule=data, **kwargs)


def test_a_new_training_starts_as_sharp_as_asked(tmp_path: Path, image_folder: Path) -> None:
    task, average = make_task(), GeneratorEMA()
    calibration = LayoutCalibration(regions_per_position=2.0, images=8)
    trainer = make_trainer(tmp_path, task, 1, [average, calibration])
    data = make_data(image_folder)
    data.setup("fit")
    trainer.datamodule = data  # type: ignore[attr-defined]
    before = task.generator.long_range.layout.entities.detach().clone()  # type: ignore[union-attr]
    calibration.setup(trainer, task, "fit")
    after = task.generator.long_range.layout.entities.detach()  # type: ignore[union-attr]
    assert not torch.allclose(after, before)
    task.train()
    with recorded_layouts(task.generator) as recorded, torch.no_grad():
        # Without the branch that draws at random, whose share the calibration leaves out.
        task.generator.long_range.layout.self_sampling = False  # type: ignore[union-attr]
        task.generator(torch.randn(64, 8), torch.arange(64) % 3)
    features, layout = recorded["long_range"]
    found = layout_statistics(layout, features).effective_regions_per_position.item()
    assert found == pytest.approx(2.0, abs=0.25), "on other latents and labels than those of the calibration"


def test_discriminators_and_inpainting_too(
    tmp_path: Path, image_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    task = make_task()
    kwargs: dict[str, Any] = {"num_regions": 4, "temperature": 1.0}
    discriminator = ProjectionDiscriminator(
        32, 3, base_width=2, long_range="attentive", long_range_resolution=8, long_range_kwargs=kwargs
    )
    task = ClassConditionalGAN(task.generator, discriminator, ADAM, ADAM)
    fit(tmp_path / "one", task, make_data(image_folder), LayoutCalibration())
    for network in ("generator", "discriminator"):
        assert f"the filters of {network}.long_range.layout were multiplied by" in caplog.text
    caplog.clear()
    fit(tmp_path / "two", make_inpainting_task(), make_photographs(image_folder), LayoutCalibration())
    assert caplog.text.count("were multiplied by") == 1


def test_a_resumed_training_and_a_network_without_layouts_are_left_alone(
    tmp_path: Path, image_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    task = make_task()
    trainer = make_trainer(tmp_path, task, 1)
    trainer.fit(task, datamodule=make_data(image_folder))
    trainer.save_checkpoint(tmp_path / "one.ckpt")
    resumed = make_task()
    fit(tmp_path, resumed, make_data(image_folder), LayoutCalibration(), ckpt_path=tmp_path / "one.ckpt")
    for mine, theirs in zip(resumed.state_dict().items(), task.state_dict().items(), strict=True):
        assert mine[0].endswith("_extra_state") or torch.equal(mine[1], theirs[1]), mine[0]
    fit(tmp_path, make_task("instance"), make_data(image_folder), LayoutCalibration())
    assert "were multiplied by" not in caplog.text


def test_wrong_numbers_are_refused_in_one_sentence() -> None:
    with pytest.raises(InputError, match="images must be at least 1, got 0"):
        LayoutCalibration(images=0)
    with pytest.raises(InputError, match="regions_per_position must be greater than 1, got 1"):
        LayoutCalibration(1.0)
    with pytest.raises(InputError, match="warn_after must be at least 1, got 0"):
        SemanticLayoutLogger(warn_after=0)

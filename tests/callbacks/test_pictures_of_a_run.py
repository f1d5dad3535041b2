"""What the pictures of a run hold: real images, names, scores, and that they leave no trace in the training."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from callbacks import Checkpointing, InpaintingPanelLogger, SampleGridLogger, SemanticLayoutLogger
from callbacks.real_images import real_images
from lit_an.data import ClassData
from lit_an.data.sources import ImageFolder
from lit_an.metrics.feature_networks.lpips_weights import file_at_hand
from lit_an.metrics.image_scores import image_scores
from lit_an.pictures.panels import sample_grid, to_uint8
from tests.places import enlarged, place_of
from tests.training import make_data, make_inpainting_task, make_photographs, make_task, make_trainer, weights


def pixels(path: Path) -> torch.Tensor:
    with Image.open(path) as picture:
        return torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1)


def test_reals_are_training_images_of_the_classes_laid_out_as_the_samples(tmp_path: Path, image_folder: Path) -> None:
    task, data = make_task(), make_data(image_folder)
    make_trainer(tmp_path, task, 1, [SampleGridLogger(5, columns=3, rows=2)]).fit(task, datamodule=data)
    reals, dataset = pixels(tmp_path / "reals.png"), data.dataset("train")
    samples = pixels(tmp_path / "samples" / "iteration_0000000.png")
    assert reals.shape[2] == samples.shape[2]
    tops = set()
    for label in task.preview_classes(2):
        positions = [index for index in range(len(dataset)) if int(dataset[index].label) == label]
        shown = [positions[number * len(positions) // 3] for number in range(3)]
        places = [place_of(enlarged(to_uint8(dataset[index].image), 4), reals) for index in shown]
        assert len({top for top, _ in places}) == 1
        assert places[2][1] - places[1][1] == places[1][1] - places[0][1] == 130
        tops.add(places[0][0])
    assert len(tops) == 2


def test_a_class_of_few_images_leaves_white_places(tmp_path: Path, image_folder: Path) -> None:
    task, data = make_task(), make_data(image_folder)
    trainer = make_trainer(tmp_path, task, 1)
    trainer.fit(task, datamodule=data)
    most = max(int((data.dataset("train").label == label).sum()) for label in range(3))
    found = real_images(trainer, task, most + 1, 16)
    assert found is not None
    assert found.row_names == task.class_names
    rows = found.images.chunk(3)
    for label, row in enumerate(rows):
        count = int((data.dataset("train").label == label).sum())
        assert (row[count:] == 1).all()
        assert (row[:count] != 1).any(dim=1).flatten(1).any(dim=1).all()


def test_an_image_that_cannot_be_read_is_one_warning(tmp_path: Path, image_folder: Path) -> None:
    import shutil

    shutil.copytree(image_folder, tmp_path / "data")
    task = make_task()
    data = ClassData(ImageFolder(tmp_path / "data", 0.25), 32, batch_size=4)
    dataset = data.dataset("train")
    broken = dataset.file(int((dataset.label == 0).nonzero()[0]))
    assert broken is not None

    class Break(SampleGridLogger):
        def begin(self, trainer: Any, task: Any) -> None:
            content = broken.read_bytes()
            broken.write_bytes(b"no image")
            try:
                super().begin(trainer, task)
            finally:
                broken.write_bytes(content)

    with pytest.warns(UserWarning, match=r"the run goes on without reals\.png"):
        make_trainer(tmp_path / "run", task, 1, [Break(5, columns=2)]).fit(task, datamodule=data)
    assert not (tmp_path / "run" / "reals.png").exists()
    assert (tmp_path / "run" / "samples" / "iteration_0000001.png").exists()


def test_a_resumed_run_keeps_its_real_images_and_makes_no_first_picture_again(
    tmp_path: Path, image_folder: Path
) -> None:
    for iterations in (2, 4):
        task, last = make_task(), tmp_path / "checkpoints" / "last.ckpt"
        callbacks = [SampleGridLogger(2, columns=1), Checkpointing(every_iterations=2)]
        trainer = make_trainer(tmp_path, task, iterations, callbacks)
        before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.png")}
        checkpoint = last if last.exists() else None
        trainer.fit(task, datamodule=make_data(image_folder), ckpt_path=checkpoint, weights_only=True)
        assert {path: path.stat().st_mtime_ns for path in before} == before
    assert (tmp_path / "reals.png").is_file()
    (tmp_path / "reals.png").unlink()  # a run of an earlier version has none
    task = make_task()
    trainer = make_trainer(tmp_path, task, 5, [SampleGridLogger(2, columns=1)])
    trainer.fit(task, datamodule=make_data(image_folder), ckpt_path=last, weights_only=True)
    assert (tmp_path / "reals.png").is_file()


def test_pictures_leave_no_trace_in_the_training(tmp_path: Path, image_folder: Path) -> None:
    trained = []
    for name, callbacks in (("with", [SampleGridLogger(1), SemanticLayoutLogger(1)]), ("without", [])):
        task = make_task()
        make_trainer(tmp_path / name, task, 2, callbacks).fit(task, datamodule=make_data(image_folder))  # type: ignore[arg-type]
        trained.append(weights(task, "generator") | dict(task.generator.named_buffers()))
    assert trained[0].keys() == trained[1].keys()
    assert all(torch.equal(tensor, trained[1][name]) for name, tensor in trained[0].items())


def test_the_first_picture_is_of_the_untrained_network_and_no_time_of_the_training(
    tmp_path: Path, image_folder: Path
) -> None:
    task = make_task()
    names: dict[str, Any] = {}

    class Watched(SampleGridLogger):
        def log_pictures(self, trainer: Any, task: Any) -> None:
            names.setdefault("preview", task.preview(2, 16))
            names.setdefault("runs", []).append(task.clock._started is not None and task.iteration == 0)
            super().log_pictures(trainer, task)

    make_trainer(tmp_path / "run", task, 1, [Watched(5, columns=2)]).fit(task, datamodule=make_data(image_folder))
    first, preview = pixels(tmp_path / "run" / "samples" / "iteration_0000000.png"), names["preview"]
    expected = sample_grid(preview.images, preview.row_names, ["0", "1"], "iteration 0   run")
    assert torch.equal(first, expected)
    assert not names["runs"][0], "the clock of the training stands still"
    assert not torch.equal(first, pixels(tmp_path / "run" / "samples" / "iteration_0000001.png"))


def test_a_panel_names_its_images_and_scores_them(
    tmp_path: Path, image_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import callbacks.inpainting_panel as module

    said: list[list[str]] = []
    draw = module.inpainting_panel

    def watched(*parts: Any) -> torch.Tensor:
        said.append(parts[4])
        return draw(*parts)

    monkeypatch.setattr(module, "inpainting_panel", watched)
    task, data = make_inpainting_task(), make_photographs(image_folder)
    make_trainer(tmp_path, task, 1, [InpaintingPanelLogger(5, rows=3)]).fit(task, datamodule=data)
    batch, made, _ = task.inpainted_preview(3)
    filled = torch.where(batch.mask == 1, made.fine, batch.image)
    scores = image_scores(batch.image, filled, batch.mask)
    dataset = data.dataset("val")
    for row, caption in enumerate(said[-1]):
        name, psnr, *lpips = caption.split("\n")
        assert name == data.name("val", row * len(dataset) // 3)
        assert psnr == f"PSNR {scores['psnr'][row]:.1f} ({scores['hole_psnr'][row]:.1f})"
        assert bool(lpips) == (file_at_hand("alex") is not None)


def test_without_weights_there_is_no_lpips_and_no_download(
    tmp_path: Path, image_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import lit_an.metrics.feature_networks.lpips_weights as lpips_weights

    monkeypatch.setattr(lpips_weights, "packaged_file", lambda backbone: None)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *args, **options: pytest.fail("a download"))
    logger = InpaintingPanelLogger(5, rows=1)
    task = make_inpainting_task()
    make_trainer(tmp_path, task, 1, [logger]).fit(task, datamodule=make_photographs(image_folder))
    assert logger._lpips is None
    assert (tmp_path / "inpainting" / "iteration_0000001.png").is_file()

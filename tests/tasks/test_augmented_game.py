"""Augmentation, R2 and the relativistic game inside the class-conditional task."""

from pathlib import Path
from typing import Any

import pytest
import torch

from callbacks import Checkpointing
from lit_an.augmentations import AUGMENTATIONS, Augmentation
from lit_an.batch import ClassBatch
from lit_an.losses import zero_centered_penalty
from lit_an.losses.adversarial import relativistic_generator_loss
from tests.randomizing import randomized
from tests.training import make_data, make_task, make_trainer

BATCH = ClassBatch(torch.rand(4, 3, 32, 32) * 2 - 1, torch.tensor([0, 1, 2, 1]), torch.zeros(4, 32, 32).long())


class Doubling(Augmentation):
    """Remembers what it was given, and doubles it."""

    def __init__(self) -> None:
        self.given: list[torch.Tensor] = []
        self.observed: list[torch.Tensor] = []

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        self.given.append(image)
        return 2 * image

    def observe(self, real_logits: torch.Tensor) -> None:
        self.observed.append(real_logits)


def doubling_task(**kwargs: Any) -> tuple[Any, Doubling]:
    task = randomized(make_task(**kwargs)).eval()
    task.augmentation = Doubling()
    return task, task.augmentation


def test_real_and_fake_are_augmented_alike_in_both_steps() -> None:
    task, augmentation = doubling_task(orthogonality_weight=0.0)
    torch.manual_seed(1)
    terms = task.discriminator_terms(BATCH)
    torch.manual_seed(1)
    fake = task.generator(torch.randn(4, 8), BATCH.label)
    assert torch.equal(augmentation.given[0], torch.cat([BATCH.image, fake]))
    real_logits, fake_logits = (task.discriminator(2 * image, BATCH.label) for image in (BATCH.image, fake))
    torch.testing.assert_close(terms["adversarial"], task.adversarial.discriminator(real_logits, fake_logits))
    torch.testing.assert_close(augmentation.observed[0], real_logits)

    torch.manual_seed(1)
    torch.testing.assert_close(task.generator_terms(BATCH)["adversarial"], -fake_logits.mean())
    assert len(augmentation.observed) == 1, "only the discriminator's step says what it thinks of real images"


def test_gradient_penalties_are_taken_at_the_images_before_augmentation() -> None:
    task, _ = doubling_task(r1_weight=3.0, r2_weight=5.0, penalty_every=4)
    torch.manual_seed(1)
    terms = task.discriminator_terms(BATCH)
    torch.manual_seed(1)
    fake = task.generator(torch.randn(4, 8), BATCH.label)
    for name, weight, image in (("r1_penalty", 3.0, BATCH.image), ("r2_penalty", 5.0, fake)):
        expected = zero_centered_penalty(lambda image: task.discriminator(2 * image, BATCH.label), image)
        torch.testing.assert_close(terms[name], 4 * weight * expected)


def test_validation_sees_images_as_they_are(tmp_path: Path, image_folder: Path) -> None:
    task, augmentation = doubling_task()
    make_trainer(tmp_path, task, 1).validate(task, make_data(image_folder), verbose=False)
    assert augmentation.given == []


@pytest.mark.parametrize("name", AUGMENTATIONS.names())
def test_labels_and_regions_stay(name: str) -> None:
    task = make_task(augmentation=name, augmentation_kwargs={"probability": 1.0} if name == "ada" else None)
    before = ClassBatch(*(field.clone() for field in BATCH if field is not None))
    judged: list[torch.Tensor] = []
    task.discriminator.register_forward_pre_hook(lambda module, inputs: judged.append(inputs[1]))
    task.discriminator_terms(BATCH)
    task.generator_terms(BATCH)
    assert torch.equal(judged[0], BATCH.label.repeat(2))
    assert torch.equal(judged[1], BATCH.label)
    assert all(torch.equal(now, then) for now, then in zip(BATCH, before, strict=True))


def test_the_relativistic_generator_compares_with_real_images() -> None:
    task = randomized(make_task(adversarial_loss="relativistic", orthogonality_weight=0.0)).eval()
    torch.manual_seed(1)
    terms = task.generator_terms(BATCH)
    torch.manual_seed(1)
    fake_logits = task.discriminator(task.generator(torch.randn(4, 8), BATCH.label), BATCH.label)
    real_logits = task.discriminator(BATCH.image, BATCH.label)
    torch.testing.assert_close(terms["adversarial"], relativistic_generator_loss(real_logits, fake_logits))


def test_everything_at_once_trains(tmp_path: Path, image_folder: Path) -> None:
    task = make_task(
        adversarial_loss="relativistic",
        r1_weight=1.0,
        r2_weight=1.0,
        penalty_every=2,
        augmentation="ada",
        augmentation_kwargs={"probability": 0.8},
        accumulate=2,
    )
    trainer = make_trainer(tmp_path, task, 3, precision="bf16-mixed")
    trainer.fit(task, datamodule=make_data(image_folder))
    assert all(torch.isfinite(p).all() for p in task.parameters())
    assert 0 <= float(trainer.callback_metrics["train/discriminator/augmentation_probability"]) <= 1


ADA = {"images_to_full": 50, "adapt_every": 2, "target": -0.9}


def finish(folder: Path, images: Path, iterations: int, checkpoint: Path | None = None, **kwargs: Any) -> Any:
    task = make_task(**{"augmentation": "ada", "augmentation_kwargs": ADA, **kwargs})
    trainer = make_trainer(folder, task, iterations, [Checkpointing(every_iterations=3)])
    trainer.fit(task, datamodule=make_data(images), ckpt_path=checkpoint, weights_only=True)
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


def test_an_adaptive_run_goes_on_where_it_stopped(tmp_path: Path, image_folder: Path) -> None:
    """Three iterations end in the middle of a window of two batches."""
    straight = finish(tmp_path / "straight", image_folder, 6)
    finish(tmp_path / "half", image_folder, 3)
    resumed = finish(tmp_path / "resumed", image_folder, 6, tmp_path / "half" / "checkpoints" / "last.ckpt")
    state = straight.pop("_extra_state")
    assert resumed.pop("_extra_state") == state
    assert state["augmentation"]["probability"] > 0
    assert all(torch.equal(resumed[name], straight[name]) for name in straight)


def test_augmentation_may_be_switched_at_a_resume(tmp_path: Path, image_folder: Path) -> None:
    checkpoint = tmp_path / "plain" / "checkpoints" / "last.ckpt"
    plain = finish(tmp_path / "plain", image_folder, 3, augmentation="none", augmentation_kwargs=None)
    assert plain["_extra_state"] == {"iteration": 3, "images_seen": 12}
    switched = finish(tmp_path / "ada", image_folder, 4, checkpoint)
    assert switched["_extra_state"]["augmentation"]["batches"] == 1

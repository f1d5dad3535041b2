"""The class-conditional game: its terms, its checks, its pictures."""

from pathlib import Path

import pytest
import torch

from lit_an.batch import ClassBatch
from lit_an.errors import InputError
from lit_an.losses import ADVERSARIAL_LOSSES, zero_centered_penalty
from lit_an.networks import FeatureDiscriminator
from lit_an.norms import total_penalty
from lit_an.tasks import ClassConditionalGAN
from tests.randomizing import randomized
from tests.training import ADAM, make_data, make_task, make_trainer

BATCH = ClassBatch(torch.rand(4, 3, 32, 32) * 2 - 1, torch.tensor([0, 1, 2, 1]))


def test_terms_are_the_formulas() -> None:
    task = randomized(make_task(orthogonality_weight=0.5, r1_weight=3.0, penalty_every=4)).eval()
    torch.manual_seed(1)
    terms = task.discriminator_terms(BATCH)
    torch.manual_seed(1)
    fake = task.generator(torch.randn(4, 8), BATCH.label)
    game = ADVERSARIAL_LOSSES.create("hinge")
    expected = game.discriminator(task.discriminator(BATCH.image, BATCH.label), task.discriminator(fake, BATCH.label))
    torch.testing.assert_close(terms["adversarial"], expected)
    penalty = zero_centered_penalty(lambda image: task.discriminator(image, BATCH.label), BATCH.image)
    torch.testing.assert_close(terms["r1_penalty"], 12 * penalty)

    torch.manual_seed(1)
    terms = task.generator_terms(BATCH)
    torch.testing.assert_close(terms["adversarial"], -task.discriminator(fake, BATCH.label).mean())
    torch.testing.assert_close(terms["orthogonality"], 0.5 * total_penalty(task.generator))


@pytest.mark.parametrize(
    ("kwargs", "names"),
    [
        ({"orthogonality_weight": 0.0}, {"adversarial"}),
        ({"gradient_penalty_weight": 10.0, "adversarial_loss": "wasserstein"}, {"adversarial", "gradient_penalty"}),
        ({"r1_weight": 1.0}, {"adversarial", "r1_penalty"}),
    ],
)
def test_only_asked_terms_are_computed(kwargs: dict[str, object], names: set[str]) -> None:
    assert set(make_task(**kwargs).discriminator_terms(BATCH)) == names


def test_r1_is_lazy() -> None:
    task = make_task(r1_weight=1.0, penalty_every=4)
    with_penalty = []
    for task.iteration in range(9):
        if "r1_penalty" in task.discriminator_terms(BATCH):
            with_penalty.append(task.iteration)
    assert with_penalty == [0, 4, 8]


def test_the_discriminator_step_leaves_no_graph_to_the_generator() -> None:
    task = make_task()
    sum(task.discriminator_terms(BATCH).values()).backward()  # type: ignore[union-attr]
    assert all(p.grad is None for p in task.generator.parameters())


def test_every_learned_part_gets_a_gradient_from_its_side() -> None:
    task = randomized(make_task())
    sum(task.generator_terms(BATCH).values()).backward()  # type: ignore[union-attr]
    assert [name for name, p in task.generator.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize("loss", ADVERSARIAL_LOSSES.names())
def test_every_game_trains(loss: str, tmp_path: Path, image_folder: Path) -> None:
    task = make_task(adversarial_loss=loss)
    make_trainer(tmp_path, task, 2).fit(task, datamodule=make_data(image_folder))
    assert all(torch.isfinite(p).all() for p in task.parameters())


def test_another_number_of_classes_is_refused(tmp_path: Path, image_folder: Path) -> None:
    task = make_task()
    task.generator.num_classes = 5
    with pytest.raises(
        InputError, match=r"the data has 3 classes \(blue, green, red\) but the generator was made for 5"
    ):
        make_trainer(tmp_path, task, 1).fit(task, datamodule=make_data(image_folder))


def test_validation_and_test_log_the_game(tmp_path: Path, image_folder: Path) -> None:
    task = make_task()
    trainer, data = make_trainer(tmp_path, task, 1), make_data(image_folder)
    (validated,), (tested,) = trainer.validate(task, data, verbose=False), trainer.test(task, data, verbose=False)
    for stage, values in (("val", validated), ("test", tested)):
        keys = {"discriminator/adversarial", "generator/adversarial", "real_logits", "fake_logits"}
        assert {f"{stage}/{key}" for key in keys} <= set(values)
        assert values[f"{stage}/generator/adversarial"] == pytest.approx(-values[f"{stage}/fake_logits"], rel=1e-4)


def test_a_generated_image_depends_on_its_label_and_seed_alone() -> None:
    task = randomized(make_task()).eval()
    with torch.no_grad():
        alone = task.generate(torch.tensor([1]), torch.tensor([7]))
        together = task.generate(torch.tensor([0, 1, 1]), torch.tensor([7, 7, 8]))
    torch.testing.assert_close(alone[0], together[1])
    assert (together[0] - together[1]).abs().max() > 1e-6
    assert (together[2] - together[1]).abs().max() > 1e-6


def test_preview_is_fixed_and_leaves_training_as_it_was(tmp_path: Path, image_folder: Path) -> None:
    task = make_task()
    make_trainer(tmp_path, task, 1).fit(task, datamodule=make_data(image_folder))
    task.train()
    before = torch.get_rng_state()
    first, second = task.preview(2, rows=8), task.preview(2, rows=8)
    assert torch.equal(first.images, second.images)
    assert first.images.shape == (6, 3, 32, 32)
    assert first.row_names == ["blue", "green", "red"]
    assert task.generator.training
    assert torch.equal(torch.get_rng_state(), before)
    two = task.preview(2, rows=2)
    assert two.row_names == ["blue", "green"]
    assert torch.equal(two.images, first.images[:4])


def test_missing_weights_of_a_frozen_network_are_said_before_training(tmp_path: Path, image_folder: Path) -> None:
    pytest.importorskip("torchvision")
    missing = {"weights": str(tmp_path / "none.pth")}
    discriminator = FeatureDiscriminator(32, 3, backbone="torchvision", backbone_kwargs=missing, width=4, head_width=4)
    task = ClassConditionalGAN(make_task().generator, discriminator, ADAM, ADAM)
    trainer = make_trainer(tmp_path, task, 1)
    with pytest.raises(InputError, match=r"weights='.*none\.pth' is no file"):
        trainer.fit(task, datamodule=make_data(image_folder))
    assert not trainer.optimizers, "before anything is set up"

"""The class-conditional terms against their formulas, with networks in which every part counts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lit_an.augmentations import Augmentation
from lit_an.batch import ClassBatch
from lit_an.errors import InputError
from lit_an.latents import latents_of
from lit_an.losses import ADVERSARIAL_LOSSES, mode_seeking_loss, wgan_gradient_penalty, zero_centered_penalty
from lit_an.networks import ProjectionDiscriminator
from lit_an.norms import total_penalty
from lit_an.seeds import mix_seed
from lit_an.tasks import ClassConditionalGAN
from lit_an.tasks.class_conditional import _PREVIEW_SEED
from lit_an.tasks.draws import draw_on
from tests.adversarial_games import GAMES
from tests.randomizing import randomized
from tests.training import ADAM, keep_logged, make_task, make_trainer

BATCH = ClassBatch(torch.rand(4, 3, 32, 32) * 2 - 1, torch.tensor([0, 1, 2, 1]))


class Doubling(Augmentation):
    def __init__(self) -> None:
        self.observed: list[Tensor] = []

    def __call__(self, image: Tensor) -> Tensor:
        return 2 * image

    def observe(self, real_logits: Tensor) -> None:
        self.observed.append(real_logits)


def doubling_task(**kwargs: Any) -> ClassConditionalGAN:
    task = randomized(make_task(**{"orthogonality_weight": 0.0, **kwargs})).eval()
    task.augmentation = Doubling()
    return task


def judge(task: ClassConditionalGAN) -> Callable[[Tensor], Tensor]:
    return lambda image: task.discriminator(2 * image, BATCH.label)  # type: ignore[no-any-return]


def fakes(task: ClassConditionalGAN) -> Tensor:
    """What the task generates after the seed 1."""
    torch.manual_seed(1)
    fake: Tensor = task.generator(torch.randn(4, 8), BATCH.label)
    return fake


def test_every_game_has_a_formula_here() -> None:
    assert sorted(GAMES) == ADVERSARIAL_LOSSES.names()


def test_the_randomized_networks_see_the_class() -> None:
    """Else the tests below would not notice a wrong label."""
    task, latent = randomized(make_task()).eval(), torch.randn(4, 8)
    images = [task.generator(latent, label) for label in (BATCH.label, BATCH.label.roll(1))]
    assert (images[0] - images[1]).abs().amax((1, 2, 3)).min() > 1e-3
    logits = [task.discriminator(BATCH.image, label) for label in (BATCH.label, BATCH.label.roll(1))]
    assert (logits[0] - logits[1]).abs().min() > 1e-4


@pytest.mark.parametrize("loss", ADVERSARIAL_LOSSES.names())
def test_both_sides_and_their_gradients(loss: str) -> None:
    task, formulas = doubling_task(adversarial_loss=loss), GAMES[loss]
    for side, formula in zip(("discriminator", "generator"), formulas, strict=True):
        parameters = list(getattr(task, side).parameters())
        fake = fakes(task)
        if side == "discriminator":
            fake = fake.detach()
        expected = formula(judge(task)(BATCH.image), judge(task)(fake))
        torch.manual_seed(1)
        terms = getattr(task, f"{side}_terms")(BATCH)
        assert list(terms) == ["adversarial"]
        torch.testing.assert_close(terms["adversarial"], expected)
        ours, theirs = (
            torch.cat([g.flatten() for g in torch.autograd.grad(t, parameters, allow_unused=True) if g is not None])
            for t in (terms["adversarial"], expected)
        )
        assert theirs.norm() > 1e-4
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3 * theirs.abs().max().item())


def test_the_augmentation_hears_of_real_images() -> None:
    task = doubling_task()
    task.discriminator_terms(BATCH)
    task.generator_terms(BATCH)
    (observed,) = task.augmentation.observed  # type: ignore[attr-defined]
    torch.testing.assert_close(observed, judge(task)(BATCH.image))


def test_each_penalty_is_taken_at_its_images() -> None:
    task = doubling_task(r1_weight=0.3, r2_weight=0.5, gradient_penalty_weight=0.7, penalty_every=4)
    torch.manual_seed(1)
    terms = task.discriminator_terms(BATCH)
    fake = fakes(task).detach()
    for _ in range(4):  # passes of the generator, and of the discriminator for the game and two penalties
        draw_on()
    between = wgan_gradient_penalty(judge(task), BATCH.image, fake)
    expected = {
        "r1_penalty": 4 * 0.3 * zero_centered_penalty(judge(task), BATCH.image),
        "r2_penalty": 4 * 0.5 * zero_centered_penalty(judge(task), fake),
        "gradient_penalty": 4 * 0.7 * between,
    }
    for name, value in expected.items():
        torch.testing.assert_close(terms[name], value, rtol=1e-4, atol=0)
    values = [value.item() for value in expected.values()]
    assert min(abs(a / 0.3 - b / 0.5) for a, b in [(values[0], values[1])]) > 1e-3 * values[0], "real and fake differ"


def test_each_side_has_the_penalty_of_its_own_norms() -> None:
    task = make_task()
    discriminator = ProjectionDiscriminator(
        32, 3, base_width=2, long_range="attentive", long_range_resolution=8, long_range_kwargs={"num_regions": 4}
    )
    task = randomized(ClassConditionalGAN(task.generator, discriminator, ADAM, ADAM, orthogonality_weight=0.3))
    for side in ("generator", "discriminator"):
        penalty = total_penalty(getattr(task, side))
        assert penalty is not None
        torch.testing.assert_close(getattr(task, f"{side}_terms")(BATCH)["orthogonality"], 0.3 * penalty)
    of_generator, of_discriminator = total_penalty(task.generator), total_penalty(task.discriminator)
    assert of_generator is not None
    assert of_discriminator is not None
    assert abs(of_generator - of_discriminator) > 1e-3


@pytest.mark.parametrize("stage", ["val", "test"])
@pytest.mark.parametrize("loss", ["hinge", "relativistic"])
def test_what_is_said_of_held_out_images(loss: str, stage: str) -> None:
    task = doubling_task(adversarial_loss=loss)
    task.iteration = 5
    logged, sizes = keep_logged(task)
    before = torch.get_rng_state()
    getattr(task, {"val": "validation_step", "test": "test_step"}[stage])(BATCH, 0)
    assert torch.equal(torch.get_rng_state(), before), "training goes on with the draws that it would have had"
    torch.manual_seed(mix_seed(_PREVIEW_SEED, 0))
    fake = task.generator(torch.randn(4, 8), BATCH.label)
    real_logits, fake_logits = (task.discriminator(image, BATCH.label) for image in (BATCH.image, fake))
    discriminator, generator = GAMES[loss]
    expected = {
        f"{stage}/discriminator/adversarial": discriminator(real_logits, fake_logits),
        f"{stage}/generator/adversarial": generator(real_logits, fake_logits),
        f"{stage}/real_logits": real_logits.mean(),
        f"{stage}/fake_logits": fake_logits.mean(),
        "step": torch.tensor(5.0),
    }
    torch.testing.assert_close(logged, expected)
    assert sizes == {4}


def test_a_row_of_the_preview_is_a_class_and_a_column_a_latent(tmp_path: Path) -> None:
    task = randomized(make_task())
    task.trainer = make_trainer(tmp_path, task, 1)
    given: list[Any] = []
    task.generator.register_forward_pre_hook(lambda module, inputs: given.append((inputs, module.training)))
    task.train()
    preview = task.preview(columns=5, rows=8)
    ((latent, label), training) = given[0]
    assert not training
    assert torch.equal(label.view(3, 5), torch.arange(3)[:, None].expand(3, 5))
    assert torch.equal(latent.view(3, 5, 8), latent[:5].expand(3, 5, 8))
    assert len({tuple(column.tolist()) for column in latent[:5]}) == 5
    assert preview.row_names == ["0", "1", "2"]
    assert task.preview(columns=5, rows=2).row_names == ["0", "1"]
    images = preview.images.reshape(3, 5, -1)
    assert (images[0] - images[1]).abs().amax(1).min() > 1e-3, "classes differ"


def test_a_generated_image_is_of_the_latent_of_its_label_and_seed() -> None:
    """Swapped, the same call would give another picture than it gave before."""
    task = randomized(make_task()).eval()
    label, seed = torch.tensor([0, 2, 1]), torch.tensor([4, 1, 0])
    with torch.no_grad():
        expected = task.generator(latents_of([0, 2, 1], [4, 1, 0], 8), label)
        torch.testing.assert_close(task.generate(label, seed), expected)


def test_losses_and_pictures_are_float32_whatever_the_networks_give() -> None:
    task = make_task().eval()
    for network in (task.generator, task.discriminator):
        network.register_forward_hook(lambda module, inputs, output: output.bfloat16())
    with torch.no_grad():
        assert task._judge(BATCH.image, BATCH.label).dtype == torch.float32
        assert task.generate(torch.tensor([0]), torch.tensor([1])).dtype == torch.float32


def test_shared_fakes_are_drawn_once_and_give_the_same_terms() -> None:
    """One pass of the generator; terms and gradients of both sides as with two passes of the same latents."""
    passes: list[Tensor] = []
    results = []
    for share in (False, True):
        task = doubling_task(share_fakes=share)
        task.generator.register_forward_hook(lambda *args: passes.append(args[-1]))
        torch.manual_seed(1)
        task.before_last_step(BATCH)
        values = []
        for side in ("discriminator", "generator"):
            if not share:
                torch.manual_seed(1)
            (term,) = getattr(task, f"{side}_terms")(BATCH).values()
            gradients = torch.autograd.grad(term, list(getattr(task, side).parameters()), allow_unused=True)
            values += [term, *(g for g in gradients if g is not None)]
        results.append(values)
    assert len(passes) == 2 + 1
    for shared, apart in zip(*results, strict=True):
        torch.testing.assert_close(shared, apart, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("share", [False, True])
def test_mode_seeking_judges_the_fakes_of_the_generators_step(share: bool) -> None:
    task = doubling_task(mode_seeking_weight=0.3, share_fakes=share)
    torch.manual_seed(1)
    latent = torch.randn(4, 8)
    torch.manual_seed(1)
    task.before_last_step(BATCH)
    term = task.generator_terms(BATCH)["mode_seeking"]
    torch.testing.assert_close(term, 0.3 * mode_seeking_loss(fakes(task), latent, BATCH.label), rtol=1e-4, atol=1e-6)


def test_shared_fakes_do_not_go_with_accumulation() -> None:
    with pytest.raises(InputError, match="share_fakes=true keeps a whole batch in memory; set accumulate=1"):
        make_task(share_fakes=True, accumulate=2)

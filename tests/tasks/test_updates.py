"""One iteration, update by update: whose weights and gradients, of which images, with which draws."""

from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor, nn

from lit_an.augmentations import Augmentation
from lit_an.losses.gradient_penalty import wgan_gradient_penalty
from tests.randomizing import randomized
from tests.training import (
    make_data,
    make_inpainting_task,
    make_photographs,
    make_task,
    make_trainer,
    weights,
)

SIDES = ("generator", "discriminator")


class Watcher(Callback):
    """Looks at both networks before and after each optimizer step, and when an iteration has ended."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self._before: dict[str, dict[str, Tensor]] = {}

    def on_train_start(self, trainer: pl.Trainer, task: Any) -> None:
        for side, optimizer in zip(SIDES, trainer.optimizers, strict=True):
            optimizer.register_step_pre_hook(lambda *args, side=side: self.before_step(task, side))
            optimizer.register_step_post_hook(lambda *args, side=side: self.after_step(task, side))

    def before_step(self, task: Any, side: str) -> None:
        for name in SIDES:
            parameters = list(getattr(task, name).parameters())
            assert all((p.grad is not None) == (name == side) for p in parameters), f"gradients of the {name}"
            assert all(p.requires_grad == (name == side) for p in parameters), f"gradients wanted of the {name}"
        self._before = {name: weights(task, name) for name in SIDES}

    def after_step(self, task: Any, side: str) -> None:
        self.steps.append(side)
        for name in SIDES:
            now = weights(task, name)
            same = all(torch.equal(now[key], tensor) for key, tensor in self._before[name].items())
            assert same == (name != side), f"weights of the {name}"

    def on_train_batch_end(self, trainer: pl.Trainer, task: Any, *args: Any) -> None:
        assert all(p.grad is None for p in task.parameters()), "no gradient is left for the next iteration"
        assert all(p.requires_grad for p in task.parameters())


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("make", [make_task, make_inpainting_task])
def test_each_step_moves_its_own_network_only(tmp_path: Path, image_folder: Path, make: Any, accumulate: int) -> None:
    task, watcher = randomized(make(discriminator_steps=2, accumulate=accumulate)), Watcher()
    make_data_for = make_data if make is make_task else make_photographs
    data = make_data_for(image_folder, batches_per_iteration=2)
    make_trainer(tmp_path, task, 2, [watcher]).fit(task, datamodule=data)
    assert watcher.steps == ["discriminator", "discriminator", "generator"] * 2


def watched(tmp_path: Path, image_folder: Path, iterations: int = 1) -> tuple[list[Any], dict[str, list[Any]]]:
    """Batches of iterations, and what each side was given of them: 3 steps of 4 images, in pieces of 2."""
    task = make_task(discriminator_steps=3, accumulate=2)
    whole: list[Any] = []
    given: dict[str, list[Any]] = {"generator": [], "discriminator": [], "latent": []}

    def watch(name: str, into: list[Any]) -> None:
        compute = getattr(task, name)

        def watching(batch: Any, *args: Any) -> Any:
            into.append(batch)
            return compute(batch, *args)

        setattr(task, name, watching)

    watch("training_step", whole)
    for side in SIDES:
        watch(f"{side}_terms", given[side])
    task.generator.register_forward_pre_hook(
        lambda module, inputs: given["latent"].append(inputs[0]) if module.training else None
    )
    make_trainer(tmp_path, task, iterations).fit(task, datamodule=make_data(image_folder, batches_per_iteration=3))
    return whole, given


def test_each_step_sees_its_own_images(tmp_path: Path, image_folder: Path) -> None:
    (batch,), given = watched(tmp_path, image_folder)
    assert len({tuple(image.flatten().tolist()) for image in batch.image}) == 12, "all images differ"
    for side, expected in (("discriminator", slice(0, 12)), ("generator", slice(8, 12))):
        assert [len(part.label) for part in given[side]] == [2] * len(given[side])
        assert torch.equal(torch.cat([part.image for part in given[side]]), batch.image[expected])
        assert torch.equal(torch.cat([part.label for part in given[side]]), batch.label[expected])


def test_no_latent_is_used_twice(tmp_path: Path, image_folder: Path) -> None:
    _, given = watched(tmp_path, image_folder, iterations=2)
    latents = torch.cat(given["latent"]).tolist()
    # 3 steps of the discriminator and one of the generator, of 4 images each.
    assert len(latents) == len({tuple(latent) for latent in latents}) == 2 * 4 * 4


class Noting(Augmentation):
    """Notes the state that the next random numbers follow from."""

    def __init__(self) -> None:
        self.states: list[Tensor] = []

    def __call__(self, image: Tensor) -> Tensor:
        self.states.append(torch.get_rng_state())
        return image


def test_runs_that_differ_in_a_norm_draw_the_same_numbers(
    tmp_path: Path, image_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Attentive normalization samples positions between the draws of latents, augmentations and penalties."""
    seen: dict[str, list[Tensor]] = {}
    for long_range in ("none", "attentive"):
        task = make_task(long_range, discriminator_steps=2, gradient_penalty_weight=1.0)
        task.augmentation, draw = (note := Noting()), task._draw_latents

        def noted_latents(*arguments: Any, note: Any = note, draw: Any = draw) -> Any:
            note(torch.empty(0))
            return draw(*arguments)

        def noted_penalty(*arguments: Any, note: Any = note) -> Any:
            note(torch.empty(0))
            return wgan_gradient_penalty(*arguments)

        task._draw_latents = noted_latents  # type: ignore[method-assign]
        monkeypatch.setattr("lit_an.tasks.class_conditional.wgan_gradient_penalty", noted_penalty)
        trainer = make_trainer(tmp_path / long_range, task, 1, limit_val_batches=0)
        trainer.fit(task, datamodule=make_data(image_folder))
        seen[long_range] = note.states
    # Latents, augmentation, penalty, augmentation of two steps; latents and augmentation of the generator's.
    assert len(seen["none"]) == len(seen["attentive"]) == 2 * 4 + 2
    assert all(map(torch.equal, *seen.values()))


def test_draws_are_a_function_of_the_run_the_iteration_and_the_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    task, seeds = make_task(), []
    for _ in range(2):
        for run in (1, 2):
            torch.manual_seed(run)
            task.on_fit_start()
            for task.iteration in (0, 1):
                for rank in (0, 1):
                    monkeypatch.setattr(type(task), "global_rank", property(lambda self, rank=rank: rank))
                    task._seed_iteration()
                    seeds.append(torch.initial_seed())
    assert seeds[:8] == seeds[8:]
    assert len(set(seeds)) == 8


@pytest.mark.parametrize("make", [make_task, make_inpainting_task])
def test_the_step_of_pieces_is_that_of_the_mean_loss(tmp_path: Path, image_folder: Path, make: Any) -> None:
    """The gradient at the optimizer's step against the gradients of the terms, piece by piece, of the real losses."""
    task = randomized(make(accumulate=2))
    expected: dict[str, list[Tensor]] = {side: [] for side in SIDES}
    seen: dict[str, list[Tensor]] = {}

    for side in SIDES:
        compute, network = getattr(task, f"{side}_terms"), getattr(task, side)

        def observe(batch: Any, compute: Any = compute, network: nn.Module = network, side: str = side) -> Any:
            terms = compute(batch)
            parameters = list(network.parameters())
            total = torch.stack(list(terms.values())).sum()
            gradients = torch.autograd.grad(total, parameters, retain_graph=True)
            expected[side].append(torch.cat([gradient.flatten() for gradient in gradients]))
            return terms

        setattr(task, f"{side}_terms", observe)

    class Gradients(Callback):
        def on_before_optimizer_step(self, trainer: pl.Trainer, task: Any, optimizer: Any) -> None:
            side = SIDES[trainer.optimizers.index(optimizer)]
            seen[side] = torch.cat([p.grad.flatten().clone() for p in getattr(task, side).parameters()])

    data = make_data(image_folder) if make is make_task else make_photographs(image_folder)
    make_trainer(tmp_path, task, 1, [Gradients()]).fit(task, datamodule=data)
    for side in SIDES:
        first, second = expected[side]
        torch.testing.assert_close(seen[side], (first + second) / 2, rtol=1e-4, atol=1e-6)
        assert (first - second).norm() > 1e-3 * first.norm(), "the pieces differ"


@pytest.mark.parametrize("make", [make_task, make_inpainting_task])
def test_evaluation_is_without_gradients_in_evaluation_mode_with_averaged_weights(tmp_path: Path, make: Any) -> None:
    task, inside = make(), []

    @contextmanager
    def averaged() -> Any:
        inside.append("in")
        yield
        inside.append("out")

    task.averaged_weights = averaged
    task.trainer = make_trainer(tmp_path, task, 1)
    task.train()
    task.discriminator.eval()
    before = {name: module.training for name, module in task.named_modules()}
    with task.evaluation():
        assert inside == ["in"]
        assert not torch.is_grad_enabled()
        assert not any(module.training for module in task.modules())
    assert inside == ["in", "out"]
    assert torch.is_grad_enabled()
    assert {name: module.training for name, module in task.named_modules()} == before
    with pytest.raises(KeyError), task.evaluation():
        raise KeyError
    assert {name: module.training for name, module in task.named_modules()} == before

"""Inpainting: the terms are the formulas, the phases do what they say, a run goes on over their border."""

import csv
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor

import cli
from callbacks import Checkpointing
from lit_an.batch import InpaintingBatch
from lit_an.errors import InputError
from lit_an.losses.gradient_penalty import wgan_gradient_penalty
from lit_an.losses.id_mrf import id_mrf_loss
from lit_an.losses.reconstruction import confidence_map
from lit_an.norms import NORMS, total_penalty
from lit_an.norms.registry import condition_kind
from lit_an.tasks import FillingWeights
from lit_an.tasks.draws import draw_on
from tests.randomizing import randomized
from tests.training import (
    logged_rows,
    make_inpainting_task,
    make_photographs,
    make_trainer,
    weights,
)

ROOT = Path(__file__).parent.parent.parent
QUICKSTART = ROOT / "configs/inpainting/earth_inpainting.yaml"


def make_batch(size: int = 2) -> InpaintingBatch:
    mask = torch.zeros(size, 1, 32, 32)
    for index in range(size):
        mask[index, :, 4 + index : 20, 8 : 24 - index] = 1
    return InpaintingBatch(torch.rand(size, 3, 32, 32) * 2 - 1, mask)


@pytest.fixture(scope="session")
def vgg_weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file of VGG-19's convolutions with random weights."""
    torch.manual_seed(0)
    features = torchvision.models.vgg19(weights=None).features
    path = tmp_path_factory.mktemp("vgg") / "vgg19.pth"
    torch.save({f"features.{name}": tensor for name, tensor in features.state_dict().items()}, path)
    return str(path)


def test_reconstruction_is_the_formula() -> None:
    task, batch = randomized(make_inpainting_task(adversarial_from=None)), make_batch()
    terms = task.eval().generator_terms(batch)
    made, confidence = task.inpaint(batch.image, batch.mask), confidence_map(batch.mask)
    hole = context = torch.zeros(())
    for stage in (made.coarse, made.fine):
        for index in range(2):
            difference, inside = (stage[index] - batch.image[index]).abs(), batch.mask[index].sum()
            hole = hole + (difference * confidence[index]).sum() / (3 * inside) / 2
            context = context + (difference * (1 - batch.mask[index])).sum() / (3 * (1024 - inside)) / 2
    assert terms.keys() == {"hole", "context", "orthogonality"}
    torch.testing.assert_close(terms["hole"], 1.4 * 1.2 * hole)
    torch.testing.assert_close(terms["context"], 1.2 * 1.2 * context)
    torch.testing.assert_close(terms["orthogonality"], 0.2 * 0.001 * total_penalty(task.generator))


def test_the_critics_see_the_composite() -> None:
    task, batch = randomized(make_inpainting_task()), make_batch()
    task.eval()
    seen: list[Tensor] = []
    for critic in task.discriminator.critics:  # type: ignore[union-attr]
        critic.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0].detach()))
    terms = task.generator_terms(batch)
    filled = torch.where(batch.mask > 0.5, task.inpaint(batch.image, batch.mask).fine, batch.image)
    assert all(torch.equal(image, filled) for image in seen)
    outputs = task.discriminator(filled, batch.mask)
    assert len(outputs) == 2
    adversarial = -sum(output.logits.mean() for output in outputs)
    torch.testing.assert_close(terms["adversarial"], torch.as_tensor(1e-3 * adversarial))


def test_each_critic_has_its_own_penalty_inside_the_hole() -> None:
    task, batch = randomized(make_inpainting_task(gradient_penalty_weight=10.0)), make_batch()
    task.eval()
    torch.manual_seed(1)
    terms = task.discriminator_terms(batch)
    filled = task(batch.image, batch.mask).detach()
    torch.manual_seed(1)
    penalties = []
    for critic in task.discriminator.critics:  # type: ignore[union-attr]
        draw_on()
        of_critic = (lambda image, c=critic: c(image, batch.mask).logits, batch.image, filled, batch.mask)
        penalties.append(wgan_gradient_penalty(*of_critic))
    torch.testing.assert_close(terms["gradient_penalty"], 10 * torch.stack(penalties).sum())
    real, fake = (task.discriminator(image, batch.mask) for image in (batch.image, filled))
    expected = sum(f.logits.mean() - r.logits.mean() for f, r in zip(fake, real, strict=True))
    torch.testing.assert_close(terms["adversarial"], torch.as_tensor(expected))


@pytest.mark.parametrize("local", ["window", "patch", "none"])
@pytest.mark.parametrize("loss", ["wasserstein", "hinge", "non_saturating", "relativistic"])
def test_every_game_gives_a_gradient_to_every_part(loss: str, local: str) -> None:
    task = randomized(make_inpainting_task(local, adversarial_loss=loss))
    torch.stack(list(task.discriminator_terms(make_batch()).values())).sum().backward()
    assert all(p.grad is not None for p in task.discriminator.parameters())
    assert all(p.grad is None for p in task.generator.parameters())
    torch.stack(list(task.generator_terms(make_batch()).values())).sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in task.generator.parameters())


def test_known_pixels_are_left_as_they_are() -> None:
    task, batch = make_inpainting_task(), make_batch()
    filled = task(batch.image, batch.mask)
    known = batch.mask.expand_as(filled) < 0.5
    assert torch.equal(filled[known], batch.image[known])
    assert not torch.equal(filled[~known], batch.image[~known])


# Terms on features


def test_features_join_with_the_critics_and_stay_out_of_checkpoints(vgg_weights: str) -> None:
    losses = {"id_mrf_weight": 0.07, "perceptual_weight": 0.05, "style_weight": 1.0, "feature_matching_weight": 10.0}
    task = make_inpainting_task(losses={**losses, "vgg_weights": vgg_weights})
    batch = make_batch()
    terms = task.eval().generator_terms(batch)
    expected = {"hole", "context", "orthogonality", "adversarial", "id_mrf", "perceptual", "style", "feature_matching"}
    assert terms.keys() == expected
    vgg = task.losses._vgg
    assert vgg is not None
    made = task.inpaint(batch.image, batch.mask)
    torch.testing.assert_close(terms["id_mrf"], 0.07 * id_mrf_loss(vgg(made.fine), vgg(batch.image)))
    assert not any(tensor.shape == (64, 3, 3, 3) for tensor in task.state_dict().values() if isinstance(tensor, Tensor))
    task.adversarial_from = None
    assert task.generator_terms(batch).keys() == {"hole", "context", "orthogonality"}


def test_missing_weights_are_said_before_training(tmp_path: Path, image_folder: Path) -> None:
    losses = {"id_mrf_weight": 0.07, "vgg_weights": str(tmp_path / "none.pth")}
    for adversarial_from in (0, 1000):
        task = make_inpainting_task(losses=losses, adversarial_from=adversarial_from)
        with pytest.raises(InputError, match=r"VGG19Features: weights='.*none\.pth' is no file"):
            make_trainer(tmp_path, task, 1).fit(task, datamodule=make_photographs(image_folder))
    alone = {"id_mrf_weight": 0.0, "perceptual_weight": 0.05, "features_from": 1000}
    task = make_inpainting_task(losses=losses | alone, adversarial_from=None)
    with pytest.raises(InputError, match=r"VGG19Features: weights='.*none\.pth' is no file"):
        make_trainer(tmp_path, task, 1).fit(task, datamodule=make_photographs(image_folder))
    task = make_inpainting_task(losses=losses, adversarial_from=None)  # never needs them
    make_trainer(tmp_path, task, 1).fit(task, datamodule=make_photographs(image_folder))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: FillingWeights(hole_weight=-1.0), "losses: hole_weight must be at least 0, got -1.0"),
        (lambda: FillingWeights(features_from=-1), "losses: features_from must be at least 0, got -1"),
        (lambda: FillingWeights(features_of="fine"), "features_of must be 'both' or 'composite', got 'fine'"),  # type: ignore[arg-type]
        (
            lambda: FillingWeights(features="efficientnet_light0"),
            "losses: features must be one of vgg19, .*, got 'efficientnet_light0', did you mean 'efficientnet_lite0'?",
        ),
        (lambda: make_inpainting_task(adversarial_from=-1), "adversarial_from must be at least 0, got -1"),
        (lambda: make_inpainting_task(adversarial_weight=-1.0), "adversarial_weight must be at least 0, got -1.0"),
        (
            lambda: make_inpainting_task(adversarial_loss="hing"),
            "unknown adversarial loss 'hing', did you mean",
        ),
    ],
)
def test_a_wrong_number_is_one_sentence(make: Any, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        make()


# Phases


def test_the_critics_rest_until_their_iteration(tmp_path: Path, image_folder: Path) -> None:
    task = make_inpainting_task(adversarial_from=2, discriminator_steps=2)
    data = make_photographs(image_folder, batches_per_iteration=2)
    before = weights(task, "discriminator")
    trainer = make_trainer(tmp_path, task, 2)
    trainer.fit(task, datamodule=data)
    assert (task.iteration, task.images_seen, trainer.global_step) == (2, 8, 2)
    after = weights(task, "discriminator")
    assert all(torch.equal(before[name], after[name]) for name in before)
    task = make_inpainting_task(adversarial_from=2, discriminator_steps=2)
    trainer = make_trainer(tmp_path, task, 4)
    trainer.fit(task, datamodule=data)
    # The run's length is its iterations, although optimizers moved 1 + 1 + 3 + 3 times.
    assert (task.iteration, trainer.global_step) == (4, 8)
    after = weights(task, "discriminator")
    assert not all(torch.equal(before[name], after[name]) for name in before)


def test_a_run_goes_on_over_the_border_of_phases(tmp_path: Path, image_folder: Path) -> None:
    def run(name: str, iterations: int, checkpoint: Path | None = None) -> Any:
        task = make_inpainting_task(adversarial_from=3)
        callbacks: list[Any] = [Checkpointing(every_iterations=0)]
        trainer = make_trainer(tmp_path / name, task, iterations, callbacks)
        trainer.fit(task, datamodule=make_photographs(image_folder), ckpt_path=checkpoint, weights_only=True)
        return task

    straight, half = run("straight", 4), run("half", 2)
    assert half.iteration == 2
    resumed = run("resumed", 4, tmp_path / "half" / "checkpoints" / "last.ckpt")
    for side in ("generator", "discriminator"):
        one, other = weights(straight, side), weights(resumed, side)
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_two_phases_as_two_runs(tmp_path: Path, image_folder: Path) -> None:
    """The config of the second run wins over what the checkpoint was trained with."""
    common = [
        "fit",
        f"--config={QUICKSTART}",
        f"--run_folder={tmp_path / 'run'}",
        "--model.generator.width=2",
        "--model.discriminator.base_width=2",
        "--data.source=lit_an.data.sources.Photographs",
        f"--data.source.root={image_folder}",
        "--data.image_size=32",
        "--data.batch_size=2",
        "--trainer.log_every_n_steps=1",
    ]
    overlay = str(ROOT / "configs/ablations/phase_{}.yaml")
    assert cli.main([*common, "--config", overlay.format("reconstruction"), "--iterations=2"]) == 0
    last = str(tmp_path / "run" / "checkpoints" / "last.ckpt")
    assert cli.main([*common, "--config", overlay.format("adversarial"), "--iterations=3", "--ckpt_path", last]) == 0
    played: dict[float, bool] = {}
    with (tmp_path / "run" / "metrics.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            step = float(row["step"])
            played[step] = played.get(step, False) or bool(row["train/generator/adversarial"])
    assert played == {0.0: False, 1.0: False, 2.0: False, 3.0: True}  # layouts are measured before the first, too


# Looking at it


# The swap, and two processes

FITTING = [name for name in NORMS.names() if condition_kind(name) != "vector"]


def arguments(image_folder: Path, run_folder: Path, *more: str) -> list[str]:
    return [
        "fit",
        f"--config={QUICKSTART}",
        "--iterations=2",
        f"--run_folder={run_folder}",
        "--model.generator.width=2",
        "--model.discriminator.base_width=2",
        "--model.adversarial_from=1",
        "--data.source=lit_an.data.sources.Photographs",
        f"--data.source.root={image_folder}",
        "--data.image_size=32",
        "--data.batch_size=2",
        *more,
    ]


@pytest.mark.parametrize("name", FITTING)
def test_every_norm_that_fits_in_the_long_range_branch(name: str, image_folder: Path, tmp_path: Path) -> None:
    swap = (f"--model.generator.long_range={name}", "--trainer.limit_val_batches=0", "--trainer.logger=false")
    assert cli.main(arguments(image_folder, tmp_path / "run", *swap)) == 0
    stored = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    assert stored["state_dict"]["_extra_state"]["iteration"] == 2


def test_a_norm_of_classes_is_refused(image_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments(image_folder, tmp_path / "run", "--model.generator.norm=conditional_batch")) == 2
    assert "norm 'conditional_batch' needs a class vector" in capsys.readouterr().err


@pytest.mark.slow
def test_two_processes_cross_the_border_of_phases_together(image_folder: Path, tmp_path: Path) -> None:
    """They meet for each term that they log, and the critics' terms come later than the generator's."""
    logging = "--trainer.log_every_n_steps=1"
    command = arguments(image_folder, tmp_path / "run", "--trainer.devices=2", "--trainer.strategy=ddp", logging)
    done = subprocess.run([sys.executable, str(ROOT / "cli.py"), *command], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    stored = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    assert stored["state_dict"]["_extra_state"] == {"iteration": 2, "images_seen": 8}
    rows = logged_rows(tmp_path / "run", "train/")
    assert {step: "train/discriminator/adversarial" in row for step, row in rows.items()} == {1: False, 2: True}


def test_a_run_that_has_its_length_is_not_made_longer(tmp_path: Path, image_folder: Path) -> None:
    """Lightning counts optimizer steps, and without critics an iteration has one instead of two."""

    def train(iterations: int) -> int:
        task = make_inpainting_task(adversarial_from=99)
        trainer = make_trainer(tmp_path, task, iterations, [Checkpointing()], val_check_interval=1)
        last = tmp_path / "checkpoints" / "last.ckpt"
        trainer.fit(
            task,
            datamodule=make_photographs(image_folder),
            ckpt_path=last if last.is_file() else None,
            weights_only=True,
        )
        return task.iteration

    assert [train(iterations) for iterations in (2, 2, 3)] == [2, 2, 3]

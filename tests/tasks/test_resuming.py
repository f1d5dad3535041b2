"""A resume: the config says what optimizers and schedules are, the checkpoint how far they have come."""

import logging
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR, ReduceLROnPlateau, SequentialLR, StepLR

from callbacks import Checkpointing
from lit_an.checkpoints.files import write_file
from lit_an.errors import InputError
from lit_an.tasks import LinearDecay
from lit_an.tasks.adversarial import AdversarialTask
from tests.training import ADAM, make_data, make_task, make_trainer


def train(
    folder: Path, images: Path, iterations: int, checkpoint: Path | None = None, **changed: Any
) -> AdversarialTask:
    """A run whose optimizers and schedules are changed: ``generator_optimizer=…`` and the like."""
    task = make_task(
        **{f"{side}_scheduler": changed.get(f"{side}_scheduler") for side in ("generator", "discriminator")}
    )
    task.make_optimizers = tuple(  # type: ignore[assignment]
        changed.get(f"{side}_optimizer", ADAM) for side in ("generator", "discriminator")
    )
    trainer = make_trainer(folder, task, iterations, [Checkpointing()])
    trainer.fit(task, datamodule=make_data(images), ckpt_path=checkpoint, weights_only=True)
    return task


def last(folder: Path) -> Path:
    return folder / "checkpoints" / "last.ckpt"


def groups(folder: Path) -> list[dict[str, Any]]:
    states = torch.load(last(folder), weights_only=True)["optimizer_states"]
    return [{name: value for name, value in state["param_groups"][0].items() if name != "params"} for state in states]


def warm_up(optimizer: torch.optim.Optimizer) -> SequentialLR:
    parts = [StepLR(optimizer, 1, gamma=0.5), CosineAnnealingLR(optimizer, T_max=9)]
    return SequentialLR(optimizer, parts, milestones=[2])


ADAM_ = torch.optim.Adam
# Before, afterwards, and what must be said: nothing where nothing has changed.
CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "nothing": ({}, {}, ""),
    "rate": ({}, {"generator_optimizer": partial(ADAM_, lr=1e-5, betas=(0.0, 0.9))}, "generator_optimizer.lr is 1e-05"),
    "other side": ({}, {"discriminator_optimizer": partial(ADAM_, lr=1e-5, betas=(0.0, 0.9))}, "discriminator_optim"),
    "betas": ({}, {"generator_optimizer": partial(ADAM_, lr=1e-3, betas=(0.5, 0.9))}, "generator_optimizer.betas is"),
    "eps and decay": (
        {},
        {"generator_optimizer": partial(ADAM_, lr=1e-3, betas=(0.0, 0.9), eps=1e-4, weight_decay=0.1)},
        "generator_optimizer.weight_decay is 0.1",
    ),
    "rate under a schedule": (
        {"generator_scheduler": partial(StepLR, step_size=2, gamma=0.5)},
        {
            "generator_scheduler": partial(StepLR, step_size=2, gamma=0.5),
            "generator_optimizer": partial(ADAM_, lr=1e-5, betas=(0.0, 0.9)),
        },
        "generator_optimizer.lr is 1e-05",
    ),
    "schedule": (
        {"generator_scheduler": partial(LinearDecay, start=1, end=100)},
        {"generator_scheduler": partial(LinearDecay, start=2, end=50)},
        "generator_scheduler.end is 50 in the config and was 100",
    ),
    "another schedule": (
        {"generator_scheduler": partial(LinearDecay, start=1, end=100)},
        {"generator_scheduler": partial(StepLR, step_size=2)},
        "StepLR in the config and was lit_an.tasks.schedules.LinearDecay",
    ),
    "there was none": ({}, {"discriminator_scheduler": partial(StepLR, step_size=2)}, "was none in the checkpoint"),
    "there is none any more": (
        {"discriminator_scheduler": partial(StepLR, step_size=2)},
        {},
        "discriminator_scheduler is none in the config",
    ),
    "one that also moves betas": (
        {"generator_scheduler": partial(OneCycleLR, max_lr=0.1, total_steps=20)},
        {"generator_scheduler": partial(OneCycleLR, max_lr=0.1, total_steps=20)},
        "",
    ),
    "one of several": ({"generator_scheduler": warm_up}, {"generator_scheduler": warm_up}, ""),
    "both, one changed": (
        {"generator_scheduler": partial(StepLR, step_size=2), "discriminator_scheduler": partial(StepLR, step_size=3)},
        {"generator_scheduler": partial(StepLR, step_size=2), "discriminator_scheduler": partial(StepLR, step_size=1)},
        "discriminator_scheduler.step_size is 1",
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_the_config_is_obeyed_from_the_resume_on(
    case: str, tmp_path: Path, image_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The rates are those of a run that had this config from the start; a line says what is different."""
    before, after, line = CHANGES[case]
    train(tmp_path / "first", image_folder, 3, **before)
    caplog.clear()
    with caplog.at_level(logging.INFO):
        train(tmp_path / "resumed", image_folder, 5, last(tmp_path / "first"), **after)
    train(tmp_path / "straight", image_folder, 5, **after)
    for mine, expected in zip(groups(tmp_path / "resumed"), groups(tmp_path / "straight"), strict=True):
        assert mine == expected
    lines = [record.getMessage() for record in caplog.records if "the config's value is used" in record.getMessage()]
    assert len(lines) == (2 if case in ("eps and decay", "schedule") else bool(line))
    assert any(line in said for said in lines) == bool(line)


@pytest.mark.parametrize(("before", "after"), [(4, 1), (1, 4)])
def test_a_run_has_its_length_with_another_number_of_discriminator_steps(
    before: int, after: int, tmp_path: Path, image_folder: Path
) -> None:
    """Lightning counts the steps of both optimizers: 10 of 2 iterations are 6 of 3 with fewer steps."""
    for steps, iterations, checkpoint in ((before, 2, None), (after, 3, last(tmp_path))):
        task = make_task(discriminator_steps=steps)
        trainer = make_trainer(tmp_path, task, iterations, [Checkpointing()])
        data = make_data(image_folder, batches_per_iteration=steps)
        trainer.fit(task, datamodule=data, ckpt_path=checkpoint, weights_only=True)
        assert task.iteration == iterations
    assert {int(state["step"]) for state in task._trainings[0].optimizer.state.values()} == {3}


def test_other_classes_under_the_same_labels_are_said(tmp_path: Path, image_folder: Path) -> None:
    """A class folder that was renamed may move the labels of others."""
    train(tmp_path / "first", image_folder, 1)
    moved = shutil.copytree(image_folder, tmp_path / "moved")
    (moved / "blue").rename(moved / "violet")
    sentence = "^3 of 3 classes of the data are called otherwise in the checkpoint: 0 is 'green' and was 'blue'; give"
    with pytest.warns(UserWarning, match=sentence):
        train(tmp_path / "resumed", moved, 2, last(tmp_path / "first"))


def test_what_the_optimizer_has_gathered_is_kept(tmp_path: Path, image_folder: Path) -> None:
    train(tmp_path / "first", image_folder, 3)
    slower = partial(ADAM_, lr=1e-5, betas=(0.0, 0.9))
    task = train(tmp_path / "resumed", image_folder, 4, last(tmp_path / "first"), generator_optimizer=slower)
    states = task._trainings[0].optimizer.state.values()
    assert {int(state["step"]) for state in states} == {4}


@pytest.mark.parametrize(
    ("optimizer", "sentence"),
    [
        (partial(torch.optim.SGD, lr=0.1), "SGD in the config, but the checkpoint was made with torch.optim.adam.Adam"),
        (partial(torch.optim.AdamW, lr=0.1), "AdamW in the config"),
        (partial(ADAM_, lr=1e-3, amsgrad=True), "the checkpoint lacks its max_exp_avg_sq"),
    ],
)
@pytest.mark.parametrize("older", [False, True])
def test_another_optimizer_is_refused(
    optimizer: Any, sentence: str, older: bool, tmp_path: Path, image_folder: Path
) -> None:
    train(tmp_path / "first", image_folder, 1)
    if older:  # without a word of the class
        checkpoint = torch.load(last(tmp_path / "first"), weights_only=True)
        del checkpoint["lit_an"]["optimizer_kinds"]
        write_file(checkpoint, last(tmp_path / "first"))
        if optimizer.func is torch.optim.AdamW:
            return  # its state is Adam's
        sentence = sentence.partition(",")[0] if "SGD" in sentence else sentence
    with pytest.raises(InputError, match=sentence):
        train(tmp_path / "second", image_folder, 2, last(tmp_path / "first"), discriminator_optimizer=optimizer)
    assert not (tmp_path / "second" / "checkpoints").exists()


def test_numbers_that_torch_refuses_are_one_sentence(tmp_path: Path, image_folder: Path) -> None:
    for wrong, sentence in (
        ({"generator_optimizer": partial(ADAM_, lr=-1.0)}, "model.generator_optimizer: Invalid learning rate: -1.0"),
        ({"discriminator_scheduler": partial(StepLR, step="x")}, "model.discriminator_scheduler: .*unexpected keyword"),
        ({"generator_scheduler": partial(ReduceLROnPlateau)}, "ReduceLROnPlateau depends on a metric"),
        (
            {"generator_scheduler": partial(OneCycleLR, max_lr=0.1, total_steps=2)},
            "model.generator_scheduler: OneCycleLR ends at iteration",
        ),
    ):
        with pytest.raises(InputError, match=sentence):
            train(tmp_path, image_folder, 5, **wrong)

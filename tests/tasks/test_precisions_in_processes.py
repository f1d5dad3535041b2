"""Two processes train as one with the whole batch, in every precision that a CPU has, and go on bit for bit."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from callbacks import GeneratorEMA
from lit_an.networks import CoarseToFineGenerator, GlobalAndLocalCritics, ProjectionDiscriminator, ResNetGenerator
from lit_an.seeds import mix_seed
from lit_an.tasks import ClassConditionalGAN, FillingWeights, InpaintingGAN
from lit_an.tasks.networkwise_ddp import NetworkwiseDDP
from tests.randomizing import randomized
from tests.training import make_data, make_photographs, make_trainer, run_in_two_processes

ITERATIONS, SAVED = 4, 2
BATCH = 4  # of all processes together, and of a part of an accumulated gradient
# Steps are multiples of gradients, so that a wrong gradient is a wrong step.
SGD = partial(torch.optim.SGD, lr=0.05)
# No sample reads another one: neither batch norm, nor the draws of self-sampling.
ATTENTIVE = {"num_regions": 4, "temperature": 1.0, "self_sampling": False}
# ‖difference‖ ÷ ‖change in training‖ of all weights: roundings of the type; it is about 1 with a wrong gradient.
TOLERANCES = {"64-true": 1e-10, "32-true": 1e-4, "bf16-mixed": 0.1}


class SharedLatents(ClassConditionalGAN):
    """Draws the latents of the whole batch in every process, and takes those of its images."""

    def _draw_latents(self, count: int, device: torch.device) -> Tensor:
        self._drawn = getattr(self, "_drawn", 0) + 1
        draws = torch.Generator().manual_seed(mix_seed(self.iteration, self._drawn))
        whole = torch.randn(count * self.trainer.world_size, self._latent_dim, generator=draws)
        return whole[self.global_rank :: self.trainer.world_size]

    def _count(self) -> None:
        super()._count()
        self._drawn = 0  # so that a resumed run draws the same


def make_classes(**kwargs: Any) -> ClassConditionalGAN:
    torch.manual_seed(0)
    generator = ResNetGenerator(
        32,
        num_classes=3,
        latent_dim=8,
        base_width=2,
        norm="conditional_instance",
        final_norm="instance",
        long_range="attentive",
        long_range_resolution=8,
        long_range_kwargs=ATTENTIVE,
    )
    discriminator = ProjectionDiscriminator(32, num_classes=3, base_width=2)
    return SharedLatents(generator, discriminator, SGD, SGD, r1_weight=1.0, **kwargs)


def make_holes(**kwargs: Any) -> InpaintingGAN:
    """Without the penalty between images, whose places are drawn in each process."""
    torch.manual_seed(0)
    generator = CoarseToFineGenerator(width=2, long_range_kwargs=ATTENTIVE)
    weights = FillingWeights(id_mrf_weight=0.0)
    options: dict[str, Any] = {"discriminator_steps": 1, "gradient_penalty_weight": 0.0, "losses": weights}
    options |= {"adversarial_loss": "hinge"}
    return InpaintingGAN(generator, GlobalAndLocalCritics(32, base_width=2), SGD, SGD, **options, **kwargs)


TASKS: dict[str, Callable[..., Any]] = {"classes": make_classes, "holes": make_holes}


class Case(NamedTuple):
    task: str
    precision: str
    accumulate: int


CASES = [Case(task, precision, parts) for task in TASKS for precision in TOLERANCES for parts in (1, 2)]
FAST = [Case("classes", "32-true", 1), Case("holes", "bf16-mixed", 2)]


class SaveAt(Callback):
    def on_train_batch_end(self, trainer: Any, task: Any, *args: Any) -> None:
        if task.iteration == SAVED:
            trainer.save_checkpoint(Path(trainer.default_root_dir, "saved.ckpt"))


def _fit(folder: Path, images: str, case: Case, processes: int, task: Any, *callbacks: Callback, **kwargs: Any) -> Any:
    make = make_data if case.task == "classes" else make_photographs
    data = make(Path(images), batch_size=BATCH * case.accumulate // processes)
    options: dict[str, Any] = {"devices": processes, "precision": case.precision, "limit_val_batches": 0}
    options |= {"strategy": "ddp"} if processes > 1 else {}
    trainer = make_trainer(folder, task, ITERATIONS, list(callbacks), **options)
    trainer.fit(task, datamodule=data, **kwargs)
    return trainer


def _task(case: Case) -> Any:
    return randomized(TASKS[case.task](accumulate=case.accumulate))


def _learned(task: Any) -> Tensor:
    return torch.cat([parameter.detach().double().flatten() for parameter in task.parameters()])


def _run(rank: int, port: str, folder: str, images: str, cases: list[Case]) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "LOCAL_RANK": str(rank), "NODE_RANK": "0"}
    torch.set_num_threads(1)
    found: dict[str, Any] = {}
    for case in map(Case._make, cases):
        whole, rest = _task(case), TASKS[case.task](accumulate=case.accumulate)
        averages = GeneratorEMA(0.9), GeneratorEMA(0.9)
        trainer = _fit(Path(folder), images, case, 2, whole, averages[0], SaveAt())
        assert type(trainer.strategy) is NetworkwiseDDP
        assert trainer.precision == case.precision
        _fit(Path(folder), images, case, 2, rest, averages[1], ckpt_path=Path(folder, "saved.ckpt"), weights_only=True)
        found["/".join(map(str, case))] = {
            "whole": {**whole.state_dict(), "average": averages[0].average},
            "rest": {**rest.state_dict(), "average": averages[1].average},
            "learned": _learned(whole),
        }
    torch.save(found, Path(folder, f"{rank}.pt"))


def _check(cases: list[Case], folder: Path, images: Path) -> None:
    run_in_two_processes(_run, str(folder), str(images), [tuple(case) for case in cases])
    first, second = (torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2))
    for case in cases:
        name = "/".join(map(str, case))
        alone = _task(case)
        before = _learned(alone)
        _fit(folder / "alone", str(images), case, 1, alone)
        found = first[name]["learned"]
        kind = torch.float64 if case.precision == "64-true" else torch.float32
        assert {each.dtype for each in alone.parameters()} == {kind}
        change = (_learned(alone) - before).norm()
        difference = float((found - _learned(alone)).norm() / change)
        assert change > 1e-3 * before.norm(), "the training changes next to nothing"
        assert difference <= TOLERANCES[case.precision], name
        assert torch.equal(found, second[name]["learned"]), f"{name}: the processes differ"
        # Running statistics are the first process's own.
        torch.testing.assert_close(first[name]["rest"], first[name]["whole"], rtol=0, atol=0)
        assert first[name]["whole"]["_extra_state"]["images_seen"] == ITERATIONS * BATCH * case.accumulate


def test_two_processes_train_as_one(tmp_path: Path, image_folder: Path) -> None:
    _check(FAST, tmp_path, image_folder)


@pytest.mark.slow  # ten more cases
def test_two_processes_train_as_one_in_every_precision(tmp_path: Path, image_folder: Path) -> None:
    _check([case for case in CASES if case not in FAST], tmp_path, image_folder)

"""Several processes: the gradients are those of one process on the joined batch, with a wrapper per network."""

import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.strategies import DDPStrategy
from torch import Tensor, nn

from lit_an.errors import InputError
from lit_an.tasks.networkwise_ddp import NetworkwiseDDP, wrap_networkwise
from tests.randomizing import randomized
from tests.training import make_data, make_inpainting_task, make_photographs, make_task, make_trainer, run_in_processes

SIDES = ("generator", "discriminator")


class Gradients(Callback):
    """Keeps the gradients of each optimizer step, and those of this process alone, part by part."""

    def __init__(self) -> None:
        self.exchanged: dict[str, list[list[Tensor]]] = {side: [] for side in SIDES}
        self.own: dict[str, list[list[Tensor]]] = {side: [] for side in SIDES}

    def on_before_optimizer_step(self, trainer: Any, task: Any, optimizer: Any) -> None:
        side = SIDES[trainer.optimizers.index(optimizer)]
        self.exchanged[side].append([p.grad.clone() for p in getattr(task, side).parameters()])


def watch_own(task: Any, kept: Gradients) -> None:
    """Computes the gradients of each part of an update once more, by ``autograd.grad``, which exchanges nothing."""
    for side in SIDES:
        compute = getattr(task, f"{side}_terms")

        def observed(batch: Any, side: str = side, compute: Any = compute) -> Any:
            terms = compute(batch)
            parameters, total = list(getattr(task, side).parameters()), torch.stack(list(terms.values())).sum()
            kept.own[side].append(list(torch.autograd.grad(total, parameters, retain_graph=True)))
            return terms

        setattr(task, f"{side}_terms", observed)


KINDS: dict[str, Any] = {
    "r1": partial(make_task, r1_weight=1.0, discriminator_steps=2),
    "accumulated": partial(make_task, accumulate=2),
    "shared fakes": partial(make_task, share_fakes=True),
    "inpainting": partial(make_inpainting_task, gradient_penalty_weight=10.0),
    "reconstruction first": partial(make_inpainting_task, adversarial_from=1),
}
PROCESSES = 3  # the sum over two does not depend on its order


def _fit(folder: Path, images: str, task: Any, iterations: int, *callbacks: Callback, **kwargs: Any) -> Any:
    make = make_data if hasattr(task, "num_classes") else make_photographs
    data = make(Path(images), batch_size=2, batches_per_iteration=task.discriminator_steps)
    options: dict[str, Any] = {"devices": PROCESSES, "strategy": "ddp", **kwargs.pop("trainer", {})}
    trainer = make_trainer(folder, task, iterations, list(callbacks), **options)
    trainer.fit(task, datamodule=data, **kwargs)
    return trainer


def _gradients(folder: Path, images: str, kind: str) -> dict[str, Any]:
    task, kept = randomized(KINDS[kind]()), Gradients()
    watch_own(task, kept)
    trainer = _fit(folder, images, task, 3, kept)
    assert type(trainer.strategy) is NetworkwiseDDP
    buffers = {name for name, _ in task.named_buffers()}
    learned = {name: tensor for name, tensor in task.state_dict().items() if name not in buffers}
    return {"own": kept.own, "exchanged": kept.exchanged, "learned": learned}


class SaveAt(Callback):
    def on_train_batch_end(self, trainer: Any, task: Any, *args: Any) -> None:
        if task.iteration == 2:
            trainer.save_checkpoint(Path(trainer.default_root_dir, "two.ckpt"))


def _resumed(folder: Path, images: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The state after four iterations, uninterrupted and resumed after two."""
    whole, rest = randomized(make_task()), make_task()
    _fit(folder, images, whole, 4, SaveAt())
    _fit(folder, images, rest, 4, ckpt_path=folder / "two.ckpt", weights_only=True)
    return whole.state_dict(), rest.state_dict()


def _with_unused(folder: Path, images: str, strategy: str) -> str:
    task = make_task()
    task.discriminator.forgotten = nn.Parameter(torch.zeros(3))
    try:
        _fit(folder, images, task, 2, trainer={"strategy": strategy})
    except InputError as error:
        return str(error)
    return ""


def _run_all(rank: int, port: str, folder: str, images: str) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "LOCAL_RANK": str(rank), "NODE_RANK": "0"}
    torch.set_num_threads(1)
    found: dict[str, Any] = {kind: _gradients(Path(folder), images, kind) for kind in KINDS}
    found["resumed"] = _resumed(Path(folder), images)
    found["looks for unused"] = _with_unused(Path(folder), images, "ddp_find_unused_parameters_true")
    found["unused"] = _with_unused(Path(folder), images, "ddp")
    torch.save(found, Path(folder, f"{rank}.pt"))


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory, image_folder: Path) -> list[dict[str, Any]]:
    """What each of three processes found; they are started once for all tests."""
    folder = tmp_path_factory.mktemp("processes")
    run_in_processes(PROCESSES, _run_all, str(folder), str(image_folder))
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(PROCESSES)]


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_the_mean_over_processes_and_parts(kind: str, processes: list[dict[str, Any]]) -> None:
    """As one process would have them for the joined batch: of each, computed once more without an exchange."""
    found = [process[kind] for process in processes]
    for side in SIDES:
        steps = len(found[0]["exchanged"][side])
        assert steps == {("r1", "discriminator"): 6, ("reconstruction first", "discriminator"): 2}.get((kind, side), 3)
        parts = len(found[0]["own"][side]) // steps
        assert parts == (2 if kind == "accumulated" else 1)
        for step in range(steps):
            own = [part for process in found for part in process["own"][side][step * parts : (step + 1) * parts]]
            for index, exchanged in enumerate(found[0]["exchanged"][side][step]):
                mean = torch.stack([each[index] for each in own]).mean(0)
                torch.testing.assert_close(exchanged, mean, rtol=1e-4, atol=1e-6)
                for process in found[1:]:
                    assert torch.equal(exchanged, process["exchanged"][side][step][index])
    for process in found[1:]:
        torch.testing.assert_close(process["learned"], found[0]["learned"], rtol=0, atol=0)


def test_a_resumed_run_of_three_processes_goes_on_bit_for_bit(processes: list[dict[str, Any]]) -> None:
    """A sum over three processes is rounded by its place in DDP's buckets, which must not change."""
    whole, rest = processes[0]["resumed"]
    assert whole.keys() == rest.keys()
    assert not [name for name in whole if "module." in name]
    torch.testing.assert_close(rest, whole, rtol=0, atol=0)


def test_a_parameter_without_a_gradient_is_named(processes: list[dict[str, Any]]) -> None:
    for process in processes:
        assert process["unused"].startswith("forgotten of ProjectionDiscriminator has no part in the loss")
        assert "--trainer.strategy ddp_find_unused_parameters_true" in process["unused"]
        assert process["looks for unused"] == ""


def test_every_ddp_strategy_wraps_networks_or_looks_for_unused_parameters() -> None:
    class Own(DDPStrategy):
        pass

    plain, own, ready = DDPStrategy(), Own(), NetworkwiseDDP()
    for strategy in (plain, own, ready):
        wrap_networkwise(strategy)
    assert type(plain) is type(ready) is NetworkwiseDDP
    assert type(own) is Own
    assert [each._ddp_kwargs.get("find_unused_parameters") for each in (plain, own, ready)] == [None, True, None]

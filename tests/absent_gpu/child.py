"""A process of its own, which prints what happened, as JSON: ``python -m tests.absent_gpu.child WHAT SETTINGS``."""

import itertools
import json
import sys
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from pytorch_lightning.accelerators import CPUAccelerator
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.plugins.precision import MixedPrecision
from pytorch_lightning.strategies import SingleDeviceStrategy
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from callbacks import GeneratorEMA
from lit_an.batch import ClassBatch, InpaintingBatch
from lit_an.device_checks.cases import Case, cases
from lit_an.device_checks.metric_cases import metric_cases
from tests.absent_gpu.fake_device import CUDA, FakeDevice, fake_device, on_device, places
from tests.absent_gpu.stand_in import pretend
from tests.tasks.test_no_synchronization import ITERATIONS, KINDS
from tests.training import make_trainer

AUTOCASTS = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}


def problem(run: Callable[[], None]) -> str:
    """Nothing, or what was raised, and the places of the project that it came through, the last one first."""
    try:
        run()
    except Exception as error:
        where = places(traceback.extract_tb(error.__traceback__))
        return f"{type(error).__name__}: {' '.join(str(error).split())[:300]} ({where})"
    return ""


def compute(case: Case, dtype: torch.dtype | None, device: FakeDevice) -> None:
    """A forward and a backward pass, twice: constants get their place in the first."""
    made, inputs = case.build(), case.inputs()
    load = getattr(made, "load_backbone", None)
    if load is not None:
        load()
    is_metric = case.kind == "metrics"
    with device:
        made, arguments = (on_device(made) if isinstance(made, nn.Module) else made), on_device(inputs)
        wanted = [leaf for leaf in _tensors(arguments) if leaf.is_floating_point() and not is_metric]
        for leaf in wanted:
            leaf.requires_grad_()
        for _ in range(2):
            device.forget()
            with torch.autocast("cuda", dtype, enabled=dtype is not None):
                outputs = _tensors(made(*arguments))
            losses = [output.float().sum() for output in outputs if output.requires_grad]
            if losses:
                torch.stack(losses).sum().backward()
        parameters = list(made.parameters()) if isinstance(made, nn.Module) else []
        gradients = [each.grad for each in [*wanted, *parameters] if each.grad is not None]
        elsewhere = {str(tensor.device) for tensor in [*outputs, *gradients]} - {str(CUDA)}
        assert not elsewhere, f"results on {elsewhere}"
        assert not device.copies, f"copies {device.copies}"


def _tensors(value: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(value) if isinstance(leaf, Tensor)]


def run_cases(settings: str, device: FakeDevice) -> dict[str, str]:
    """All cases, by the names of the types of an autocast, separated by commas; float32 is none."""
    found = {}
    for case in [*cases(), *metric_cases()]:
        for name in settings.split(","):
            if case.is_possible() and (name == "float32" or case.kind != "metrics"):
                found[f"{case.kind}: {case.name}, {name}"] = problem(partial(compute, case, AUTOCASTS[name], device))
    return found


class FakeAccelerator(CPUAccelerator):
    def setup_device(self, device: torch.device) -> None:
        """Lightning's checks that it is the CPU."""


class FakeStrategy(SingleDeviceStrategy):
    def teardown(self) -> None:
        """Lightning's takes the optimizers to the CPU."""


class Watch(Callback):
    """Keeps the copies of each iteration, from its first hook to that of the next, without those of the batch."""

    def __init__(self, device: FakeDevice) -> None:
        self.device, self.copies = device, list[list[str]]()

    def on_train_batch_start(self, *args: Any) -> None:
        self.device.forget()

    def on_train_batch_end(self, *args: Any) -> None:
        self.copies.append(list(self.device.copies))


class Batches:
    """In place of a loader, whose seed would be read from a fake tensor."""

    def __init__(self, batch: Any) -> None:
        self.batch = batch

    def __iter__(self) -> Iterator[Any]:
        return itertools.repeat(self.batch)


def train(kind: str, precision: str, device: FakeDevice) -> None:
    """Iterations of Lightning's own loop; what the last ones copy is an error."""
    task, watch = KINDS[kind](), Watch(device)
    load = getattr(task.discriminator, "load_backbone", None)
    if load is not None:
        load()
    size = 4 * task.discriminator_steps
    image = torch.rand(size, 3, 32, 32) * 2 - 1
    mask = torch.zeros(size, 1, 32, 32)
    mask[..., 8:20, 8:20] = 1
    is_classes = hasattr(task, "num_classes")
    batch: Any = ClassBatch(image, torch.arange(size) % 3) if is_classes else InpaintingBatch(image, mask)
    plugins = [] if precision == "32-true" else [MixedPrecision(precision, "cuda")]  # type: ignore[arg-type]
    strategy = FakeStrategy(device=CUDA, accelerator=FakeAccelerator())
    options: dict[str, Any] = {"accelerator": "auto", "strategy": strategy, "plugins": plugins}
    options |= {"log_every_n_steps": 100, "limit_val_batches": 0}
    with TemporaryDirectory() as folder, device:
        callbacks: list[Callback] = [GeneratorEMA(0.9), watch]  # the last one, to see the others' hooks
        trainer = make_trainer(Path(folder), task, ITERATIONS, callbacks, **options)
        trainer.fit(task, train_dataloaders=Batches(batch))
    assert task.iteration == ITERATIONS
    elsewhere = {str(each.device) for each in task.parameters()} - {str(CUDA)}
    assert not elsewhere, f"parameters on {elsewhere}"
    assert not any(watch.copies[1:]), f"copies {watch.copies[1:]}"


def run_trainings(settings: str, device: FakeDevice) -> dict[str, str]:
    """Trainings by kind and precision, as JSON."""
    return {f"{kind}, {each}": problem(partial(train, kind, each, device)) for kind, each in json.loads(settings)}


FAULTS: dict[str, Callable[[Tensor], object]] = {
    "item": lambda x: x[0].item(),
    "nonzero": lambda x: x.nonzero(),
    "constant": lambda x: x + torch.arange(3),
    "cpu": lambda x: x.cpu(),
    "to": lambda x: torch.ones(3).to(x.device),
    "tensor": lambda x: torch.tensor([1.0], device=x.device),
    "new_tensor": lambda x: x.new_tensor([1.0]),
}


def run_faults(settings: str, device: FakeDevice) -> dict[str, str]:
    """What a program must not do in an iteration; the copies count as a problem too."""
    found = {}
    for name in FAULTS:
        device.forget()
        with device:
            found[name] = problem(lambda name=name: FAULTS[name](torch.zeros(3, device=CUDA)))  # type: ignore[misc]
        found[name] += "".join(device.copies)
    return found


if __name__ == "__main__":
    pretend()
    torch.set_num_threads(1)
    sys.stdout, out = sys.stderr, sys.stdout
    with fake_device() as fake:
        run = {"cases": run_cases, "trainings": run_trainings, "faults": run_faults}[sys.argv[1]]
        print(json.dumps(run(sys.argv[2], fake)), file=out)

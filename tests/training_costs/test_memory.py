"""The estimated memory beside what a real training allocates."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from lit_an.errors import InputError
from lit_an.networks import ResNetGenerator
from lit_an.tasks import AdversarialTask
from lit_an.training_costs.estimate import Setting, checkpoint_bytes, estimate, fitting_parts, parameters, state_bytes
from lit_an.training_costs.iteration import count_iteration
from lit_an.training_costs.valueless import without_values
from tests.training import make_task
from tests.training_costs.measured_memory import SIDE, class_task, inpainting_task, measured_peak

CONFIGURATIONS: dict[str, Any] = {
    "attentive": (class_task, {}, "32-true"),
    "self-attention": (class_task, {"long_range": "self_attention"}, "32-true"),
    "none, two steps, WGAN-GP": (
        class_task,
        {"long_range": "none", "gradient_penalty_weight": 10.0, "discriminator_steps": 2},
        "32-true",
    ),
    "R1": (class_task, {"r1_weight": 1.0}, "32-true"),
    "accumulated": (class_task, {"accumulate": 2}, "32-true"),
    "shared fakes": (class_task, {"share_fakes": True}, "32-true"),
    "bf16": (class_task, {}, "bf16-mixed"),
    "inpainting": (inpainting_task, {}, "32-true"),
    "inpainting, accumulated, two steps": (inpainting_task, {"accumulate": 2, "discriminator_steps": 2}, "32-true"),
    "inpainting, reconstruction alone": (inpainting_task, {"adversarial_from": None}, "32-true"),
}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_the_peak_of_an_iteration_is_what_pytorch_allocates(name: str, tmp_path: Path) -> None:
    """Without the state, which would make any estimate look better."""
    make, options, precision = CONFIGURATIONS[name]
    task = make(**options)
    counted = count_iteration(without_values(task), 4, SIDE, precision, on_cpu=True)
    assert counted.peak == pytest.approx(measured_peak(task, 4, tmp_path, precision), rel=0.1)


def test_state_is_weights_buffers_moments_and_average() -> None:
    task = make_task()
    trained, buffers = {}, {}
    for side in ("generator", "discriminator"):
        network = getattr(task, side)
        trained[side] = 4 * parameters(network)
        buffers[side] = sum(each.nbytes for each in network.buffers())
    average = sum(each.nbytes for each in task.generator.state_dict().values())
    of_all = sum(trained.values())
    alone = state_bytes(task, Setting(1, SIDE, averages=False))
    assert alone == 3 * of_all + sum(buffers.values())
    assert state_bytes(task, Setting(1, SIDE)) == alone + average == checkpoint_bytes(task)
    assert state_bytes(task, Setting(1, SIDE, processes=2, averages=False)) == alone + of_all, "DDP's buckets"
    plain = make_task(optimizer=partial(torch.optim.SGD, lr=0.1))
    assert state_bytes(plain, Setting(1, SIDE, averages=False)) == of_all + sum(buffers.values())


def test_an_optimizer_that_is_not_fused_needs_memory_in_its_step() -> None:
    """Of one image of networks whose weights outweigh their maps: a copy of all, on a CPU two of the largest."""

    def needed(fused: bool, on_cpu: bool = False) -> int:
        task = make_task("none", optimizer=partial(torch.optim.Adam, fused=fused))
        # Without spectral norm, whose backward pass needs more copies of a weight than the step.
        shape = {"num_classes": 3, "latent_dim": 20_000, "base_width": 2}
        task.generator = ResNetGenerator(SIDE, **shape, long_range="none", spectral_norm=False)  # type: ignore[arg-type]
        return estimate(task, Setting(1, SIDE, on_cpu=on_cpu)).memory

    weights = 4 * 20_000 * 8 * 2 * 4 * 4
    assert needed(False) - needed(True) == pytest.approx(weights, rel=0.1)
    assert needed(False, on_cpu=True) - needed(True, on_cpu=True) == pytest.approx(2 * weights, rel=0.1)


def test_memory_grows_with_the_images_at_once_and_not_with_the_parts() -> None:
    def needed(images: int, **options: Any) -> int:
        return estimate(make_task("none", **options), Setting(images, SIDE)).memory

    few, many = needed(2), needed(16)
    batch = 16 * 3 * SIDE**2 * 4
    assert many > 5 * few
    assert few < needed(16, accumulate=8) < 1.2 * few + batch


def test_the_fewest_parts_that_fit_are_found() -> None:
    setting = Setting(12, SIDE)
    needed = {parts: estimate(make_task("none", accumulate=parts), setting).memory for parts in (1, 3, 12)}
    task = make_task("none")
    assert fitting_parts(task, setting, needed[3] + 1) == (3, needed[3])
    assert fitting_parts(task, setting, needed[12]) is None
    own = fitting_parts(make_task("none", accumulate=3), setting, needed[1] + 1)
    assert own == (3, needed[3]), "batch norm may have been meant to see so few"


def test_the_task_stays_as_it_is() -> None:
    task: AdversarialTask = class_task()
    before = {name: tensor.clone() for name, tensor in task.state_dict().items() if torch.is_tensor(tensor)}
    random = torch.get_rng_state()
    estimate(task, Setting(2, SIDE, "bf16-mixed"), 10)
    assert torch.equal(random, torch.get_rng_state())
    assert not torch.is_autocast_enabled("cpu")
    assert all(torch.equal(before[name], task.state_dict()[name]) for name in before)
    assert all(parameter.grad is None and parameter.device.type == "cpu" for parameter in task.parameters())


def test_what_makes_optimizers_is_not_copied() -> None:
    """That of a command line knows it, with the data and modules of Python, which cannot be copied."""

    class Owned:
        def __init__(self) -> None:
            self.owner = torch

        def __call__(self, parameters: Any) -> torch.optim.Optimizer:
            return torch.optim.Adam(parameters)

    assert estimate(make_task("none", optimizer=Owned()), Setting(2, SIDE)).memory > 0


def test_what_very_many_images_need_follows_from_fewer() -> None:
    task = make_task("none")
    costs = estimate(task, Setting(1536, SIDE), 1)
    direct = count_iteration(without_values(task), 1536, SIDE)
    assert costs.counts[0].peak == pytest.approx(direct.peak, rel=0.01)
    assert costs.counts[0].kept == pytest.approx(direct.kept, rel=0.01)
    assert costs.counts[0].flops == pytest.approx(direct.flops, rel=0.01)
    with pytest.raises(InputError, match="cannot be split into 7 equal parts"):
        estimate(make_task("none", accumulate=7), Setting(7 * 600 + 1, SIDE))

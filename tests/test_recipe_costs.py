"""The arithmetic behind the table of costs: counts against formulas, and meta tensors against real ones."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from lit_an.norms import AttentiveNorm2d
from tests.training import make_task

PATH = Path(__file__).parent.parent / "benchmarks/recipes.py"


@pytest.fixture(scope="module")
def recipes() -> Any:
    spec = importlib.util.spec_from_file_location("recipe_costs", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_attentive_normalization_counts_as_its_products(recipes: Any) -> None:
    """Forward: the joint projection, two sums of the moments and the spread back; backward: six products more."""
    channels, regions, side, batch = 16, 4, 8, 3
    norm = AttentiveNorm2d(channels, num_regions=regions, self_sampling=False)
    x = torch.randn(batch, channels, side, side, requires_grad=True)
    joint = (channels + regions) * (channels + 1)
    with recipes.counter() as forward:
        y = norm(x)
    base = 2 * batch * regions * channels  # what the mean of the input adds to the logits
    assert forward.get_total_flops() - base == 2 * batch * side**2 * (joint + 4 * channels * regions)
    with recipes.counter() as backward:
        y.sum().backward()
    products = joint + 2 * channels * regions  # values and layout once more, gradients of the affine maps
    products += 4 * channels * regions + 3 * channels * regions  # gradients of layout and values
    products += joint + channels * (channels + regions)  # of the weights and of the input
    assert backward.get_total_flops() - base == 2 * batch * side**2 * products


def test_a_convolution_counts_three_times_forward_and_backward(recipes: Any) -> None:
    layer, x = nn.Conv2d(3, 5, 3, padding=1), torch.randn(2, 3, 8, 8, requires_grad=True)
    with recipes.counter() as counted:
        layer(x).sum().backward()
    assert counted.get_total_flops() == 3 * 2 * 2 * 64 * 3 * 5 * 9


def test_meta_tensors_count_as_real_ones_and_linearly(recipes: Any) -> None:
    path = next(path for path in recipes.RECIPES if path.stem == "imagenet128_an")
    config = recipes.config_of(path)
    with recipes.meta_device():
        task = recipes.build(config, "meta", width=2, num_classes=3)
        each = recipes.flops_per_image(task, images=2)
        # All but the penalty on the weights grows with the batch.
        assert recipes.flops_per_image(task, images=4) == pytest.approx(each, rel=1e-4)
    real, batch, total = recipes.build(config, "cpu", width=2, num_classes=3), recipes.batch_for(task, 2, "cpu"), 0
    for network in (real.generator, real.discriminator):
        with recipes.counter() as counted:
            recipes.update(real, network, batch, lambda: None)
        total += counted.get_total_flops()
    assert total / 2 == each


def test_a_gradient_penalty_is_counted(recipes: Any) -> None:
    """Forward, the gradient at the image, and the gradients of both for the weights and for what lies between."""
    config = recipes.config_of(recipes.PAPER)
    with recipes.meta_device():
        tasks = [
            recipes.build(config, "meta", 2, switches, num_classes=3)
            for switches in ({}, recipes.SWITCHES["R1 in every iteration"])
        ]
        plain, with_r1 = (recipes.flops_per_image(task) for task in tasks)
        with recipes.counter() as judging:
            tasks[0].discriminator(*recipes.batch_for(tasks[0], 4, "meta")[:2])
    # Each of the two passes costs one forward, the backward pass through both four more, where the image needs none.
    assert (with_r1 - plain) / (judging.get_total_flops() / 4) == pytest.approx(6, rel=0.1)


def test_what_is_kept_for_backward_is_counted_once_and_without_weights(recipes: Any) -> None:
    layers = nn.Sequential(nn.Linear(4, 6), nn.Sigmoid(), nn.Linear(6, 2), nn.Sigmoid())
    with recipes.kept_for_backward(layers) as kept:
        y = layers(torch.randn(5, 4))
    assert sum(kept.values()) == 4 * 5 * (4 + 6 + 2), "the input, and either sigmoid's result, which the next shares"
    assert y.requires_grad


def test_the_larger_update_decides_and_state_is_weights_moments_gradient_and_average(recipes: Any) -> None:
    with recipes.meta_device(), torch.device("meta"):
        task = make_task()
        each, total = recipes.memory(task, 16)
        small, large = recipes.bytes_kept(task, 4), recipes.bytes_kept(task, 8)
    generator, discriminator = (sum(p.numel() for p in n.parameters()) for n in (task.generator, task.discriminator))
    state = 4 * (3 * (generator + discriminator) + max(generator, discriminator) + generator)
    assert each == (large - small) / 4
    assert total == pytest.approx(state + small + 12 * each)


def test_hours_are_flops_over_what_eight_devices_do(recipes: Any) -> None:
    assert recipes.hours(8 * 989e12 * 0.3 * 3600) == pytest.approx(1)

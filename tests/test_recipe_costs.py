"""The arithmetic behind the table of costs: counts against formulas, and meta tensors against real ones."""

import importlib.util
from itertools import pairwise
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


# Parameters of the published networks, layer by layer. Every convolution and linear layer has biases but where noted.


def conv(inputs: int, outputs: int, kernel: int = 3) -> int:
    return inputs * outputs * kernel**2 + outputs


def linear(inputs: int, outputs: int) -> int:
    return inputs * outputs + outputs


def conditional(features: int, condition: int = 1000) -> int:
    """Gain and shift of a conditional batch norm, without biases."""
    return 2 * condition * features


def attention(features: int) -> int:
    """Of a non-local block: four 1×1 convolutions without biases, and the gain."""
    return features * (features // 8 + features // 8 + features // 2) + features // 2 * features + 1


def generator(width: int, latent: int, condition: int, long_range: int) -> int:
    """A linear layer to 4×4, five blocks, and batch norm and a convolution that do not see the class."""
    total = linear(latent, 16 * width * 4 * 4) + long_range
    for inputs, outputs in pairwise([width * multiple for multiple in (16, 16, 8, 4, 2, 1)]):
        total += conditional(inputs, condition) + conv(inputs, outputs)
        total += conditional(outputs, condition) + conv(outputs, outputs)
        total += conv(inputs, outputs, 1)
    return total + 2 * width + conv(width, 3)


def discriminator(width: int, wide: bool, long_range: int) -> int:
    """Five blocks that halve, one that does not and has no skip of its own, the logit, the embedding."""
    total = conv(3, width) + conv(width, width) + conv(3, width, 1) + long_range
    for inputs, outputs in pairwise([width * multiple for multiple in (1, 2, 4, 8, 16)]):
        hidden = outputs if wide else inputs
        total += conv(inputs, hidden) + conv(hidden, outputs) + conv(inputs, outputs, 1)
    total += 2 * conv(16 * width, 16 * width)
    return total + linear(16 * width, 1) + 1000 * 16 * width


def hierarchical(width: int) -> int:
    """BigGAN's generator has 20 of its 120 numbers of the latent at the foot, and 20 more in each conditional norm."""
    features = [width * multiple for multiple in (16, 16, 8, 4, 2, 1)]
    norms = sum(conditional(inputs, 20) + conditional(outputs, 20) for inputs, outputs in pairwise(features))
    return norms - (128 - 20) * 16 * width * 4 * 4


# gen_models/resnet.py and dis_models/snresnet.py of SNGAN-projection; generator_test and discriminator_test of SAGAN;
# G_arch and D_arch at 128 of BigGAN-PyTorch, scripts/launch_BigGAN_bs256x8.sh, with the embedding for all classes.
PUBLISHED = {
    "imagenet128_sngan": (generator(64, 128, 1000, 0), discriminator(64, wide=False, long_range=0)),
    "imagenet128_sagan": (
        generator(64, 128, 1000, attention(256)),
        discriminator(64, wide=True, long_range=attention(128)),
    ),
    "imagenet128_modern": (
        generator(96, 128, 128, attention(192)) + 1000 * 128 + hierarchical(96),
        discriminator(96, wide=True, long_range=attention(96)),
    ),
}


def test_the_sums_give_the_parameters_of_the_published_modules() -> None:
    """Counted in the modules of BigGAN-PyTorch itself; the others are made of the same sums."""
    assert PUBLISHED["imagenet128_modern"] == (70_433_988, 87_982_370)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_recipe_has_as_many_parameters_as_the_published_code(recipes: Any, name: str) -> None:
    """Of its generator but for what its head says under Differs: attentive normalization, and latents in each block."""
    config = recipes.config_of(next(path for path in recipes.RECIPES if path.stem == name))
    long_range = {"long_range": "self_attention", "long_range_kwargs": None} if "modern" in name else {}
    with recipes.meta_device():
        task = recipes.build(config, "meta", **long_range)
    latents = hierarchical(96) if "modern" in name else 0
    assert (recipes.count(task.generator) + latents, recipes.count(task.discriminator)) == PUBLISHED[name]


def test_the_papers_recipe_has_the_parameters_of_sagan_but_for_the_long_range_layers(recipes: Any) -> None:
    config = recipes.config_of(recipes.PAPER)
    with recipes.meta_device():
        task = recipes.build(config, "meta", long_range="none", long_range_kwargs=None)
    counts = recipes.count(task.generator), recipes.count(task.discriminator)
    assert counts == (generator(64, 128, 1000, 0), discriminator(64, wide=True, long_range=0))

"""Weight standardization against its equation in numpy, where networks apply it, and what spectral norm makes of it."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from lit_an.networks import CoarseToFineGenerator, GlobalAndLocalCritics, ProjectionDiscriminator, ResNetGenerator
from lit_an.networks.initialization import LayerFactory
from lit_an.norms import GroupNorm2d, StandardizedGroupNorm2d, WeightStandardization, replace_norms, standardize_weight
from lit_an.norms.registry import norm_factory
from lit_an.norms.residual import residual

NAME = "standardized_group"


def standardized(network: nn.Module) -> set[str]:
    """Names of the modules whose weights are standardized."""
    return {
        name
        for name, module in network.named_modules()
        if parametrize.is_parametrized(module, "weight")
        and any(isinstance(part, WeightStandardization) for part in module.parametrizations.weight)
    }


def convolutions(network: nn.Module, within: str = "") -> set[str]:
    return {name for name, part in network.named_modules() if isinstance(part, nn.Conv2d) and name.startswith(within)}


def test_equals_its_equation() -> None:
    """The paper's weight, over the root of the fan-in."""
    weight = torch.randn(4, 3, 3, 2, dtype=torch.float64) + 1
    expected = np.empty(weight.shape)
    for d, filter_ in enumerate(weight.numpy()):
        mean = filter_.mean()
        deviation = np.sqrt(((filter_ - mean) ** 2).mean() + 1e-5 / filter_.size)
        expected[d] = (filter_ - mean) / deviation / np.sqrt(filter_.size)
    np.testing.assert_allclose(WeightStandardization()(weight).numpy(), expected, rtol=0, atol=1e-12)


def test_gradients() -> None:
    weight = torch.randn(2, 2, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(WeightStandardization(), (weight,))
    assert torch.autograd.gradgradcheck(WeightStandardization(), (weight,))


def test_a_standardized_convolution_keeps_the_variance_and_ignores_scale_and_mean_of_its_weight() -> None:
    convolution, x = standardize_weight(nn.Conv2d(64, 32, 3, padding=1)), torch.randn(8, 64, 16, 16)
    before = convolution(x)
    assert before.std().item() == pytest.approx(1, abs=0.05)
    with torch.no_grad():
        convolution.parametrizations.weight.original.mul_(3).add_(0.5)
    torch.testing.assert_close(convolution(x), before, rtol=1e-2, atol=1e-3)


def test_half_precision_is_standardized_in_float32() -> None:
    weight = (torch.randn(8, 64, 3, 3) + 8).bfloat16()
    exact = WeightStandardization()(weight.double())
    with torch.autocast("cpu", torch.bfloat16):
        half = WeightStandardization()(weight)
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.double(), exact, rtol=1e-2, atol=1e-4)


def test_with_spectral_norm_the_largest_singular_value_is_1() -> None:
    layer = LayerFactory("xavier", spectral_norm=True, standardize=True).conv(5, 7).double()
    for _ in range(300):  # power iterations
        weight = layer.weight
    raw = WeightStandardization()(layer.parametrizations.weight.original).flatten(1)
    largest = torch.linalg.svdvals(raw)[0]
    assert 1 <= largest <= 7**0.5
    torch.testing.assert_close(weight.flatten(1), raw / largest, rtol=1e-6, atol=1e-8)
    norms = weight.flatten(1).norm(dim=1)
    torch.testing.assert_close(norms, norms[:1].expand(7), rtol=1e-3, atol=0)


@pytest.mark.parametrize("spectral_norm", [False, True])
def test_the_class_conditional_generator_standardizes_its_blocks(spectral_norm: bool) -> None:
    kwargs = {"base_width": 4, "long_range_resolution": 16, "spectral_norm": spectral_norm}
    network = ResNetGenerator(32, 3, norm=NAME, long_range=NAME, **kwargs)
    blocks = convolutions(network, "blocks")
    assert len(blocks) == 9
    assert standardized(network) == blocks | {"long_range.value"}
    assert standardized(ResNetGenerator(32, 3, norm="group", long_range="group", **kwargs)) == set()
    plain = ResNetGenerator(32, 3, long_range=NAME, long_range_form="plain", **kwargs)
    assert standardized(plain) == convolutions(plain, "blocks.1")
    final = ResNetGenerator(32, 3, final_norm=NAME, **kwargs)
    assert standardized(final) == convolutions(final, "blocks.2")


def test_the_inpainting_generator_standardizes_what_stands_before_its_norms() -> None:
    network = CoarseToFineGenerator(width=2, norm=NAME, long_range=NAME)
    to_image, in_slot = {"coarse_to_image", "fine_to_image"}, "long_range.5.conv"
    expected = {name for name in convolutions(network) if name not in to_image | {in_slot}}
    assert standardized(network) == expected, "the value projection in the slot, and not the convolution before it"
    plain = CoarseToFineGenerator(width=2, long_range=NAME, long_range_form="plain", padding="reflect")
    assert standardized(plain) == {f"{in_slot}.1"}


def test_discriminators_standardize_the_value_projection_or_what_stands_before_the_slot() -> None:
    for form, expected in (("residual", "long_range.value"), ("plain", "blocks.1.")):
        network = ProjectionDiscriminator(
            32, 3, base_width=4, long_range=NAME, long_range_resolution=8, long_range_form=form
        )  # type: ignore[arg-type]
        assert standardized(network) == convolutions(network, expected)
        assert convolutions(network, expected)
    critics = GlobalAndLocalCritics(64, base_width=4, long_range=NAME, long_range_form="plain")
    assert standardized(critics) == {
        "critics.0.trunk.convolutions.2",
        "critics.1.critic.trunk.convolutions.1",
    }


def test_the_residual_form_standardizes_its_value_projection() -> None:
    norm = residual(norm_factory(NAME, num_groups=2), 0.0)(8)
    assert standardized(norm) == {"value"}
    assert standardized(residual(norm_factory("group", num_groups=2), 0.0)(8)) == set()


def test_the_norm_itself_is_group_norm() -> None:
    norm, other, x = StandardizedGroupNorm2d(8, num_groups=2), GroupNorm2d(8, num_groups=2), torch.randn(2, 8, 4, 4)
    assert torch.equal(norm(x), other(x))


def test_a_replacement_says_that_it_leaves_the_convolutions_alone() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8))
    report = replace_norms(network, NAME, num_groups=4)
    assert standardized(network) == set()
    sentence = (
        "note: the weights of the convolutions are not standardized, as 'standardized_group' asks for; "
        "call lit_an.norms.standardize_weight on each"
    )
    assert str(report).splitlines()[-1] == sentence
    assert "note" not in str(replace_norms(network, "group", num_groups=4))


def test_a_network_with_it_trains_and_survives_a_checkpoint() -> None:
    def made() -> nn.Module:
        return ResNetGenerator(32, 3, base_width=4, norm=NAME, long_range="none").eval()

    network, inputs = made(), (torch.randn(2, 128), torch.tensor([0, 2]))
    network(*inputs).square().mean().backward()
    original = network.blocks[0].conv1.parametrizations.weight.original
    assert original.grad is not None
    assert original.grad.any()
    other = made()
    other.load_state_dict(network.state_dict())
    assert torch.equal(network(*inputs), other(*inputs))
    last = network.to(memory_format=torch.channels_last)
    torch.testing.assert_close(last(*inputs), other(*inputs), rtol=1e-3, atol=1e-4)

"""Critics of inpainted images: windows on the hole, patches of it, published layers, penalties through all of them."""

import copy
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from lit_an.errors import InputError
from lit_an.losses.gradient_penalty import wgan_gradient_penalty
from lit_an.networks import GlobalAndLocalCritics, SNPatchDiscriminator
from lit_an.networks.critic_parts import HolePatchCritic
from lit_an.networks.hole_window import hole_window
from lit_an.networks.initialization import LayerFactory
from lit_an.norms import NORMS, SelfAttention2d
from lit_an.norms.registry import condition_kind

FITTING = [name for name in NORMS.names() if condition_kind(name) != "vector"]
SMALL = {"image_size": 32, "base_width": 2}


def scene(height: int = 32, width: int = 32) -> tuple[Tensor, Tensor]:
    """Images in [-1, 1] and masks with a rectangle each, in different places."""
    mask = torch.zeros(2, 1, height, width)
    mask[0, :, 2 : height // 2, 3 : width // 2] = 1
    mask[1, :, height // 2 : height - 1, 5 : width // 2 + 3] = 1
    return torch.rand(2, 3, height, width) * 2 - 1, mask


def loosened(network: nn.Module) -> nn.Module:
    """The network with norms that begin as the identity taken out of it."""
    for module in network.modules():
        if hasattr(module, "residual_scale"):
            nn.init.constant_(module.residual_scale, 0.5)
    return network


@pytest.mark.parametrize("size", [(32, 32), (64, 64), (100, 68), (9, 8)])
@pytest.mark.parametrize("local", ["window", "patch", "none"])
def test_images_of_any_size(local: str, size: tuple[int, int]) -> None:
    image, mask = scene(*size)
    critics = GlobalAndLocalCritics(64, base_width=2, local=local)  # type: ignore[arg-type]
    outputs = critics(image, mask)
    assert len(outputs) == len(critics.critics) == (1 if local == "none" else 2)
    for output in outputs:
        assert output.logits.shape == (2,)
        assert len(output.features) in (6, 4)
        assert all(feature.dim() == 4 and len(feature) == 2 for feature in output.features)


def test_the_patch_discriminator_judges_every_value_of_its_map() -> None:
    image, mask = scene(100, 68)
    (output,) = SNPatchDiscriminator(base_width=2)(image, mask)
    assert output.logits.shape == (2, 8, 2, 2)
    assert [feature.shape[1:] for feature in output.features] == [
        (2, 50, 34),
        (4, 25, 17),
        (8, 13, 9),
        (8, 7, 5),
        (8, 4, 3),
    ]


@pytest.mark.parametrize(("convolutions", "shape"), [(1, (2, 32, 32)), (4, (8, 4, 4)), (6, (8, 1, 1))])
def test_fewer_convolutions_leave_a_larger_map(convolutions: int, shape: tuple[int, ...]) -> None:
    network = SNPatchDiscriminator(base_width=2, convolutions=convolutions)
    (output,) = network(*scene(64, 64))
    assert output.logits.shape[1:] == shape
    assert len(output.features) == convolutions - 1
    output.logits.square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in network.parameters())


def count(widths: list[int], kernel: int = 5) -> int:
    return sum(fewer * more * kernel**2 + more for fewer, more in pairwise(widths))


def test_the_layers_are_the_published_ones() -> None:
    """The authors' tables: inpaint-attnorm/net/network.py, and DeepFill v2's inpaint_model.py."""

    def weights(network: nn.Module) -> int:
        return sum(parameter.numel() for parameter in network.parameters())

    six = count([3, 64, 128, 256, 512, 256, 128])
    window = GlobalAndLocalCritics(long_range="none")
    assert weights(window) == 2 * six + (4 * 4 * 128 + 1) + (2 * 2 * 128 + 1) == 16_808_450
    patch = GlobalAndLocalCritics(long_range="none", local="patch")
    assert weights(patch) == six + (4 * 4 * 128 + 1) + count([3, 64, 128, 256, 512, 1])
    free_form = SNPatchDiscriminator(spectral_norm=False)
    assert weights(free_form) == count([4, 64, 128, 256, 256, 256, 256])
    for network in (window, patch, free_form):
        convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
        assert {(module.kernel_size, module.stride) for module in convolutions} == {((5, 5), (2, 2))}


def test_self_attention_sees_maps_of_32_at_256_pixels() -> None:
    critics, seen = GlobalAndLocalCritics(base_width=2), []
    layers = [module for module in critics.modules() if isinstance(module, SelfAttention2d)]
    for layer in layers:
        layer.register_forward_hook(lambda module, inputs, output: seen.append(tuple(inputs[0].shape[1:])))
    critics(*scene(256, 256))
    assert seen == [(8, 32, 32), (4, 32, 32)]


# Windows and patches


def test_the_window_critic_sees_its_window_only() -> None:
    image, mask = scene()
    local = loosened(GlobalAndLocalCritics(**SMALL)).eval().critics[1]
    expected = local(image, mask).logits
    top, left = hole_window(mask, 16, 16)
    inside = torch.zeros_like(image)
    for index in range(2):
        inside[index, :, top[index] : top[index] + 16, left[index] : left[index] + 16] = 1
    assert torch.equal(local(torch.where(inside == 1, image, 0.5), mask).logits, expected)
    assert not torch.equal(local(image * (1 - inside), mask).logits, expected)


@pytest.mark.parametrize("size", [(96, 130), (32, 32), (20, 9)])
def test_the_patch_average_is_that_of_the_patches_with_a_part_of_the_hole(size: tuple[int, int]) -> None:
    image, mask = scene(*size)
    critic = HolePatchCritic(2, LayerFactory(spectral_norm=False))
    output = critic(image, mask)
    logits = critic.to_logits(output.features[-1])
    for index in range(2):
        touched = [
            logits[index, 0, row, column]
            for row in range(logits.shape[2])
            for column in range(logits.shape[3])
            if mask[index, 0, 32 * row : 32 * row + 32, 32 * column : 32 * column + 32].any()
        ]
        torch.testing.assert_close(output.logits[index], sum(touched) / len(touched))


def test_an_image_without_a_hole_has_finite_logits() -> None:
    image, mask = scene()
    for local in ("window", "patch"):
        for output in GlobalAndLocalCritics(**SMALL, local=local)(image, 0 * mask):  # type: ignore[arg-type]
            assert output.logits.isfinite().all()


# Gradients

CRITICS = {
    "window": lambda **kwargs: GlobalAndLocalCritics(**{**SMALL, "base_width": 8, **kwargs}),
    "patch": lambda **kwargs: GlobalAndLocalCritics(**{**SMALL, "base_width": 8, "local": "patch", **kwargs}),
    "free_form": lambda **kwargs: SNPatchDiscriminator(base_width=8, **kwargs),
}


@pytest.mark.parametrize("kind", CRITICS)
@pytest.mark.parametrize("spectral_norm", [False, True])
def test_the_gradient_penalty_reaches_every_weight(kind: str, spectral_norm: bool) -> None:
    image, mask = scene()
    network = loosened(CRITICS[kind](spectral_norm=spectral_norm))
    for critic in network.critics:
        judge = lambda image, critic=critic: critic(image, mask).logits  # noqa: E731
        penalty = wgan_gradient_penalty(judge, image, image.flip(0))
        penalty.backward()
    without = [
        name
        for name, parameter in network.named_parameters()
        if parameter.dim() > 1 and (parameter.grad is None or not parameter.grad.any())
    ]
    assert without == []
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters() if parameter.grad is not None)


@pytest.mark.parametrize("local", ["window", "patch"])
def test_second_derivatives_are_right(local: str) -> None:
    """Of the whole network, self-attention included, along one direction, against finite differences."""
    torch.manual_seed(2)
    image, mask = scene()
    network = loosened(GlobalAndLocalCritics(32, base_width=8, local=local)).double().eval()  # type: ignore[arg-type]
    image = image.double()

    def penalty(weight: Tensor) -> Tensor:
        called = lambda image: torch.func.functional_call(network, {name: weight}, (image, mask))  # noqa: E731
        leaf = image.clone().requires_grad_()
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            total = sum(output.logits.sum() for output in called(leaf))
            (gradient,) = torch.autograd.grad(total, leaf, create_graph=True)
        return gradient.square().sum()

    name = "critics.0.trunk.convolutions.0.weight"
    weight = network.get_parameter(name).detach().clone().requires_grad_()
    (gradient,) = torch.autograd.grad(penalty(weight), weight)
    direction = torch.randn_like(weight)
    step = 1e-6 * direction
    numeric = (penalty(weight + step) - penalty(weight - step)) / 2e-6
    torch.testing.assert_close((gradient * direction).sum(), numeric, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("kind", CRITICS)
def test_the_gradient_reaches_every_parameter(kind: str) -> None:
    image, mask = scene()
    network = loosened(CRITICS[kind]())
    sum((output.logits * torch.randn_like(output.logits)).sum() for output in network(image, mask)).backward()
    assert [name for name, parameter in network.named_parameters() if not parameter.grad.any()] == []


@pytest.mark.parametrize("name", FITTING)
def test_every_norm_fits_the_long_range_slot(name: str) -> None:
    image, mask = scene(64, 64)
    network = loosened(GlobalAndLocalCritics(64, base_width=2, long_range=name))
    for critic in network.critics:
        penalty = wgan_gradient_penalty(lambda image, critic=critic: critic(image, mask).logits, image, image.flip(0))
        penalty.backward()
        assert penalty.isfinite()
    network.eval()
    first, second = network(image, mask), network(image, mask)
    assert all(torch.equal(one.logits, other.logits) for one, other in zip(first, second, strict=True))


def test_critics_keep_images_apart() -> None:
    image, mask = scene()
    for kind, make in CRITICS.items():
        network = loosened(make()).eval()
        for both, alone in zip(network(image, mask), network(image[:1], mask[:1]), strict=True):
            torch.testing.assert_close(both.logits[:1], alone.logits, msg=kind)


# Memory layout and precision


@pytest.mark.parametrize("kind", CRITICS)
def test_channels_last_changes_nothing(kind: str) -> None:
    image, mask = scene()
    network = loosened(CRITICS[kind]()).eval()
    last = copy.deepcopy(network).to(memory_format=torch.channels_last)
    outputs = last(image.to(memory_format=torch.channels_last), mask)
    for one, other in zip(outputs, network(image, mask), strict=True):
        torch.testing.assert_close(one.logits, other.logits, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", CRITICS)
def test_bfloat16_autocast(kind: str) -> None:
    image, mask = scene()
    network = loosened(CRITICS[kind]()).eval()
    exact = network(image, mask)
    with torch.autocast("cpu", torch.bfloat16):
        outputs = network(image, mask)
    sum(output.logits.float().sum() for output in outputs).backward()
    for one, other in zip(outputs, exact, strict=True):
        torch.testing.assert_close(one.logits.float(), other.logits, rtol=0.1, atol=0.05)


def test_the_patch_discriminator_is_spectrally_normalized() -> None:
    image, mask = scene(64, 64)
    network = SNPatchDiscriminator(base_width=4)
    for _ in range(60):  # power iterations
        network(image, mask)
    network.eval()
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            assert torch.linalg.matrix_norm(module.weight.detach().flatten(1), ord=2) < 1.05


def test_the_mask_matters_to_the_patch_discriminator() -> None:
    image, mask = scene(64, 64)
    network = SNPatchDiscriminator(base_width=4).eval()
    assert not torch.equal(network(image, mask)[0].logits, network(image, 1 - mask)[0].logits)


@pytest.mark.parametrize(
    ("kwargs", "sentence"),
    [
        ({"local": "box"}, "local must be 'window', 'patch' or 'none', got 'box'"),
        ({"window": 0.0}, "window must be above 0 and at most 1, got 0.0"),
        ({"image_size": 4}, "image_size must be at least 8, got 4"),
        ({"base_width": 0}, "base_width must be at least 1, got 0"),
        (
            {"long_range": "conditional_batch"},
            "long_range 'conditional_batch' needs a class vector, which this network",
        ),
        ({"long_range": "self_atention"}, "unknown norm 'self_atention', did you mean 'self_attention'"),
    ],
)
def test_bad_arguments_get_one_sentence(kwargs: dict[str, object], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        GlobalAndLocalCritics(**kwargs)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "critics",
    [GlobalAndLocalCritics(**SMALL, long_range="region_batch"), SNPatchDiscriminator(base_width=2, convolutions=2)],  # type: ignore[arg-type]
    ids=["global and local", "patches"],
)
def test_a_mask_may_be_of_any_type(critics: nn.Module) -> None:
    image, mask = scene()
    expected = loosened(critics).eval()(image, mask)
    for other in (mask.bool(), (255 * mask).to(torch.uint8)):
        for ours, theirs in zip(critics(image, other), expected, strict=True):
            assert torch.equal(ours.logits, theirs.logits)


def test_shapes_that_do_not_fit_get_one_sentence() -> None:
    image, mask = scene()
    with pytest.raises(
        InputError, match=r"SNPatchDiscriminator: the mask of images \(2, 3, 32, 32\) must be \(2, 1, 32"
    ):
        SNPatchDiscriminator(base_width=2)(image, mask[:, 0])
    with pytest.raises(InputError, match=r"GlobalAndLocalCritics takes images \(B, 3, H, W\).*got \(2, 1, 32, 32\)"):
        GlobalAndLocalCritics(**SMALL)(mask, mask)
    with pytest.raises(InputError, match="SNPatchDiscriminator: base_width must be at least 1, got 0"):
        SNPatchDiscriminator(base_width=0)
    for convolutions in (0, 7):
        with pytest.raises(
            InputError, match=f"SNPatchDiscriminator: convolutions must be from 1 to 6, got {convolutions}"
        ):
            SNPatchDiscriminator(convolutions=convolutions)

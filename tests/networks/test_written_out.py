"""Networks against their operations written out in float64, with all that starts at a constant drawn at random."""

import pytest
import torch
from torch import Tensor, nn

from lit_an.networks import (
    CoarseToFineGenerator,
    GlobalAndLocalCritics,
    ProjectionDiscriminator,
    ResNetGenerator,
    SNPatchDiscriminator,
)
from lit_an.networks.initialization import LayerFactory
from tests.networks import references

LABEL = torch.tensor([0, 2, 1, 2])


@pytest.mark.parametrize("final_norm", [None, "batch"])
@pytest.mark.parametrize("image_size", [32, 64])
def test_the_generator(image_size: int, final_norm: str | None) -> None:
    network = ResNetGenerator(
        image_size, 3, latent_dim=16, base_width=3, long_range="none", spectral_norm=False, final_norm=final_norm
    )
    weights = references.randomized(network)
    latent = torch.randn(4, 16, dtype=torch.float64)
    image = network(latent, LABEL)
    blocks = {32: 3, 64: 4}[image_size]
    torch.testing.assert_close(image, references.generator(weights, blocks, latent, LABEL, final_norm is None))
    assert image.abs().mean() < 0.9, "tanh hides what saturates it"


@pytest.mark.parametrize("hidden_width", ["output", "input"])
@pytest.mark.parametrize("image_size", [32, 64])
def test_the_discriminator(image_size: int, hidden_width: str) -> None:
    network = ProjectionDiscriminator(
        image_size,
        3,
        base_width=3,
        spectral_norm=False,
        hidden_width=hidden_width,  # type: ignore[arg-type]
    )
    weights = references.randomized(network)
    image = torch.rand(4, 3, image_size, image_size, dtype=torch.float64) * 2 - 1
    blocks = {32: 4, 64: 5}[image_size]
    torch.testing.assert_close(network(image, LABEL), references.discriminator(weights, blocks, image, LABEL))


# Made layers


@pytest.mark.parametrize("kind", ["conv", "linear", "embedding"])
def test_spectral_norm_divides_by_the_largest_singular_value(kind: str) -> None:
    torch.manual_seed(0)
    layer = getattr(LayerFactory("xavier", spectral_norm=True), kind)(5, 7).double()
    with torch.no_grad():
        layer.parametrizations.weight.original.normal_()
    for _ in range(500):  # power iterations
        weight = layer.weight
    original = layer.parametrizations.weight.original
    largest = torch.linalg.svdvals(original.flatten(1))[0]
    torch.testing.assert_close(weight, original / largest, rtol=1e-6, atol=1e-8)


def test_power_iterations_run_outside_of_autocast(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device may have no half precision for their products, so that results would not show it."""
    seen, original = [], torch.mv

    def mv(matrix: Tensor, vector: Tensor) -> Tensor:
        seen.append(torch.is_autocast_enabled(matrix.device.type))
        return original(matrix, vector)

    layer = LayerFactory(spectral_norm=True).conv(4, 4)
    monkeypatch.setattr(torch, "mv", mv)
    with torch.autocast("cpu", torch.bfloat16):
        _ = layer.weight
        assert torch.is_autocast_enabled("cpu")
    assert seen
    assert not any(seen)


@pytest.mark.parametrize("gain", [1.0, 2**0.5])
def test_xavier_is_uniform_up_to_its_bound(gain: float) -> None:
    """Glorot, Bengio, 2010: gain · √(6 / (inputs + outputs)), of which the variance is a third of the square."""
    layers = LayerFactory("xavier", spectral_norm=False, residual_gain=gain)
    made = {
        "residual": (layers.residual_conv(40, 60), gain * (6 / (9 * 100)) ** 0.5),
        "convolution": (layers.conv(40, 60), (6 / (9 * 100)) ** 0.5),
        "strided": (layers.conv(40, 60, 5, stride=2), (6 / (25 * 100)) ** 0.5),
        "linear": (layers.linear(80, 120), (6 / 200) ** 0.5),
        "embedding": (layers.embedding(80, 120), (6 / 200) ** 0.5),
    }
    for name, (layer, bound) in made.items():
        assert 0.99 < layer.weight.abs().max().item() / bound <= 1 + 1e-6, name
        assert layer.weight.var().item() / (bound**2 / 3) == pytest.approx(1, abs=0.05), name
        assert not getattr(layer, "bias", torch.zeros(1)).any(), name


@pytest.mark.parametrize("make", [ResNetGenerator, ProjectionDiscriminator])
def test_the_gain_is_that_of_the_residual_convolutions(make: type[nn.Module]) -> None:
    def drawn(gain: float) -> dict[str, Tensor]:
        torch.manual_seed(0)
        network = make(32, 3, base_width=4, long_range="none", spectral_norm=False, residual_gain=gain)
        return dict(network.named_parameters())

    plain, larger = drawn(1.0), drawn(3.0)
    for name, weight in plain.items():
        factor = 3.0 if name.endswith(("conv1.weight", "conv2.weight")) else 1.0
        torch.testing.assert_close(larger[name], factor * weight, msg=name)


# Inpainting


def scene(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Images in [-1, 1] and masks with a different rectangle in each."""
    mask = torch.zeros(2, 1, height, width, dtype=torch.float64)
    mask[0, :, 2 : height // 2, 3 : width // 2] = 1
    mask[1, :, height // 2 : height - 1, 5 : width // 2 + 3] = 1
    return torch.rand(2, 3, height, width, dtype=torch.float64) * 2 - 1, mask


@pytest.mark.parametrize("size", [(32, 48), (30, 45)])
@pytest.mark.parametrize("norm", ["none", "instance"])
def test_the_inpainting_generator(norm: str, size: tuple[int, int]) -> None:
    torch.manual_seed(1)
    image, mask = scene(*size)
    network = CoarseToFineGenerator(width=4, norm=norm, long_range="none")
    weights = references.randomized(network)
    with torch.no_grad():
        for name in ("coarse_to_image", "fine_to_image"):
            weights[f"{name}.weight"].mul_(4)  # shared with the network
    border = (0, -size[1] % 4, 0, -size[0] % 4)
    padded = [nn.functional.pad(part, border, mode="reflect") for part in (image, mask)]
    expected = [part[..., : size[0], : size[1]] for part in references.coarse_to_fine(weights, *padded)]
    found = network(image, mask)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other.clamp(-1, 1))
        assert 0.02 < (other.abs() > 1).double().mean() < 0.98, "some are clipped, some are not"


@pytest.mark.parametrize("size", [128, 256])
def test_the_critics_of_the_whole_and_of_the_window(size: int) -> None:
    """Made for 128 px: maps of 2×2 at the end for the whole, of 1×1 for windows of half the side."""
    network = GlobalAndLocalCritics(128, base_width=2, long_range="none")
    weights = references.randomized(network)
    image = torch.rand(2, 3, size, size, dtype=torch.float64) * 2 - 1
    mask = torch.zeros(2, 1, size, size, dtype=torch.float64)
    mask[0, :, 30:50, 40:62] = 1
    mask[1, :, size - 20 :, :8] = 1
    whole, window = network(image, mask)
    torch.testing.assert_close(whole.logits, references.whole_critic(weights, "critics.0", image))
    half = size // 2
    corners = [(40 - half // 2, 51 - half // 2), (size - half, 0)]
    corners[0] = tuple(max(0, corner) for corner in corners[0])  # type: ignore[assignment]
    windows = torch.stack(
        [one[:, top : top + half, left : left + half] for one, (top, left) in zip(image, corners, strict=True)]
    )
    torch.testing.assert_close(window.logits, references.whole_critic(weights, "critics.1.critic", windows))
    maps = references.halving(weights, "critics.0.trunk", 6, image)
    torch.testing.assert_close(list(whole.features), maps)


def test_the_critic_of_patches() -> None:
    """The mean over those of 32×32 pixels that have a part of the hole."""
    image, mask = scene(96, 128)
    network = GlobalAndLocalCritics(64, base_width=2, long_range="none", local="patch")
    weights = references.randomized(network)
    maps = references.halving(weights, "critics.1.trunk", 4, image)
    logits = references.convolved(weights, "critics.1.to_logits", maps[-1], stride=2)
    touched = mask.unfold(2, 32, 32).unfold(3, 32, 32).sum((4, 5)) > 0
    expected = torch.stack([one[where].mean() for one, where in zip(logits, touched, strict=True)])
    assert not touched.all()
    assert (touched.sum((1, 2, 3)) > 1).all()
    _, patches = network(image, mask)
    # Their mean is taken in float32.
    torch.testing.assert_close(patches.logits, expected, rtol=1e-5, atol=1e-6, check_dtype=False)
    torch.testing.assert_close(list(patches.features), maps)


def test_the_discriminator_of_patches_of_image_and_mask() -> None:
    image, mask = scene(96, 128)
    network = SNPatchDiscriminator(base_width=2, spectral_norm=False)
    weights = references.randomized(network)
    maps = references.halving(weights, "critics.0.trunk", 6, torch.cat([image, mask], 1))
    (output,) = network(image, mask)
    torch.testing.assert_close(output.logits, maps[-1])
    torch.testing.assert_close(list(output.features), maps[:-1])


@torch.no_grad()
@pytest.mark.parametrize("side", [16, 8, 4])
def test_the_long_range_layer_of_the_discriminator_stands_behind_its_block(side: int) -> None:
    network = ProjectionDiscriminator(32, 3, base_width=4, long_range="instance", long_range_resolution=side)
    seen: list[torch.Size] = []
    assert network.long_range is not None
    network.long_range.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0].shape[2:]))
    image, label = torch.randn(2, 3, 32, 32), torch.tensor([0, 2])
    network.eval()
    before = network(image, label)
    network.long_range.residual_scale.fill_(0.7)  # type: ignore[operator, union-attr]
    assert (network(image, label) - before).abs().max() > 1e-6
    assert seen == [(side, side)] * 2

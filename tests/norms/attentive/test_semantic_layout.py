"""The layout inside the layer: self-sampling, its scale, centering, and what a layout promises."""

import pytest
import torch
from torch import Tensor

from lit_an.metrics.layout import layout_statistics
from lit_an.norms import SemanticLayout


def test_training_samples_and_evaluation_does_not() -> None:
    layout, x = SemanticLayout(6, num_regions=4), torch.randn(2, 6, 8, 8)
    assert not torch.equal(layout(x), layout(x))
    torch.manual_seed(3)
    first = layout(x)
    torch.manual_seed(3)
    assert torch.equal(first, layout(x))
    layout.eval()
    assert torch.equal(layout(x), layout(x))
    assert not any("key" in name for name, _ in SemanticLayout(6, self_sampling=False).named_parameters())


def test_self_sampling_is_what_the_equations_say() -> None:
    """With as many regions as pooled positions, every position is sampled: the map is known up to its order."""
    layout = SemanticLayout(8, num_regions=4, temperature=1.0).double()
    with torch.no_grad():
        layout.entities.zero_()
        layout.sampling_scale.fill_(0.3)
    x = torch.randn(1, 8, 4, 4, dtype=torch.float64) + 5
    keys = torch.nn.functional.max_pool2d(layout.key(x), 2).flatten(2)[0]  # (K, 4)
    queries = layout.query(x).flatten(2)[0]  # (K, 16)
    expected = (0.3 * keys.t() @ queries).softmax(0)
    actual = layout(x)[0].flatten(1)
    order = torch.cdist(actual.detach(), expected.detach()).argmin(1)
    assert sorted(order.tolist()) == [0, 1, 2, 3]
    torch.testing.assert_close(actual, expected[order])


@pytest.mark.parametrize("training", [False, True])
@torch.no_grad()
def test_the_layout_sums_to_one(training: bool) -> None:
    layout = SemanticLayout(6, num_regions=5, temperature=2.0).train(training)(torch.randn(3, 6, 9, 7) + 10)
    assert layout.shape == (3, 5, 9, 7)
    assert layout.min() >= 0
    torch.testing.assert_close(layout.sum(1), torch.ones(3, 9, 7))


def test_the_sampled_branch_starts_as_loud_as_the_published_one() -> None:
    """At 256 channels α F has a standard deviation of 1.25; with torch's own initialization it had 0.23."""
    torch.manual_seed(0)
    layout, x = SemanticLayout(256), torch.randn(8, 256, 16, 16)
    _, filters, constants = layout.filters(x)
    assert constants is not None
    sampled = (filters - layout.entities) @ x.flatten(2) + constants[:, :, None]
    assert 1.0 < sampled.std().item() < 1.6


@torch.no_grad()
def test_the_sampling_scale_is_clipped_to_the_unit_range() -> None:
    layout, x = SemanticLayout(8, num_regions=4), torch.randn(2, 8, 8, 8)

    def filters(scale: float) -> Tensor:
        layout.sampling_scale.fill_(scale)
        torch.manual_seed(0)
        return layout.filters(x)[1]

    assert torch.equal(filters(7.0), filters(1.0))
    assert torch.equal(filters(-0.5), filters(0.0))
    torch.testing.assert_close(filters(0.0), layout.entities.expand(2, -1, -1))
    assert not torch.equal(filters(0.5), filters(1.0))


def test_a_sampling_scale_outside_its_range_can_come_back() -> None:
    layout, x = SemanticLayout(8, num_regions=4), torch.randn(2, 8, 8, 8)
    with torch.no_grad():
        layout.sampling_scale.fill_(-0.1)
    weights = torch.randn(2, 4, 8, 8)
    gradients = []
    for sign in (1.0, -1.0):
        torch.manual_seed(0)
        (gradient,) = torch.autograd.grad((sign * weights * layout(x)).sum(), layout.sampling_scale)
        assert (gradient <= 0).all(), "only a step toward the range is taken"
        gradients.append(gradient)
    assert (gradients[0] + gradients[1] != 0).all(), "and it is taken"


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("hooked", [False, True])
@torch.no_grad()
def test_autocast_changes_nothing_in_a_layout(training: bool, hooked: bool) -> None:
    """Logits in half precision would move positions from region to region."""
    layout, x = SemanticLayout(32, num_regions=4).train(training), torch.randn(2, 32, 8, 8)
    layout.sampling_scale.fill_(1.0)
    if hooked:
        layout.key.register_forward_hook(lambda *_: None)
    torch.manual_seed(3)
    expected = layout(x)
    torch.manual_seed(3)
    with torch.autocast("cpu", torch.bfloat16):
        actual = layout(x)
    assert torch.equal(actual, expected)


@torch.no_grad()
def test_no_region_of_a_centered_layout_wins_everywhere() -> None:
    layout = SemanticLayout(16, num_regions=4, temperature=1.0, centered=True).eval()
    x = torch.randn(1, 16, 8, 8) + 10 * layout.entities[0][:, None, None]
    assert layout_statistics(layout(x), x).effective_regions > 3
    layout.centered = False
    assert layout_statistics(layout(x), x).effective_regions < 1.01


def test_self_sampling_knows_height_from_width() -> None:
    layout = SemanticLayout(8, num_regions=16)
    assert layout(torch.randn(2, 8, 2, 8)).shape == (2, 16, 2, 8)
    assert layout(torch.randn(2, 8, 8, 2)).shape == (2, 16, 8, 2)

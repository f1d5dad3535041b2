"""Self-sampling: positions, and its closed form against the composition that autograd follows."""

import pytest
import torch
from torch import Tensor

from lit_an.norms.attentive.self_sampling import _composition, sampled_layout
from lit_an.norms.attentive.semantic_layout import SemanticLayout


def make_arguments(memory_format: torch.memory_format = torch.contiguous_format) -> list[Tensor]:
    """Two images of 5 channels, 4 windows of 3 positions, of which some are in two windows; 2 key channels."""

    def leaf(*size: int) -> Tensor:
        return torch.randn(size, dtype=torch.float64).requires_grad_()

    x = torch.randn(2, 5, 4, 6, dtype=torch.float64).contiguous(memory_format=memory_format).requires_grad_()
    windows = torch.tensor(
        [[[0, 3, 5], [1, 3, 7], [8, 9, 23], [20, 21, 22]], [[2, 3, 4], [9, 8, 7], [1, 0, 6], [4, 3, 2]]]
    )
    return [x, windows, leaf(4, 5), leaf(4), leaf(2, 5), leaf(2), leaf(2, 5), leaf(2)]


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_the_closed_form_is_the_composition(memory_format: torch.memory_format) -> None:
    arguments = make_arguments(memory_format)
    leaves = [arguments[0], *arguments[2:]]
    expected, actual = _composition(*arguments), sampled_layout(*arguments)
    upstream = [torch.randn_like(one) for one in expected]
    for one, other in zip(actual, expected, strict=True):
        torch.testing.assert_close(one, other)
    theirs = torch.autograd.grad(expected, leaves, [one.clone() for one in upstream])
    ours = torch.autograd.grad(actual, leaves, [one.clone() for one in upstream])
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)


def test_a_gradient_of_a_gradient() -> None:
    x, windows, *parameters = make_arguments()

    def function(*leaves: Tensor) -> tuple[Tensor, ...]:
        x, filters, constants = sampled_layout(leaves[0], windows, *leaves[1:])
        return x.square(), filters.sin(), constants.square()

    assert torch.autograd.gradcheck(function, (x, *parameters))
    assert torch.autograd.gradgradcheck(function, (x, *parameters))


def test_self_sampling_is_per_image_and_follows_the_seed() -> None:
    layout, x = SemanticLayout(16, num_regions=4), torch.randn(1, 16, 16, 16).expand(3, -1, -1, -1)
    _, filters, _ = layout.filters(x)
    assert not torch.equal(filters[0], filters[1]), "two copies of an image are sampled at different points"
    torch.manual_seed(1)
    _, first, _ = layout.filters(x)
    torch.manual_seed(1)
    assert torch.equal(first, layout.filters(x)[1])

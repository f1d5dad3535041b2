"""Spectral normalization against PyTorch's own module."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import _SpectralNorm

from lit_an.networks.spectral_norm import SpectralNorm

SHAPES = {"kernel": (5, 4, 3, 3), "1×1": (4, 6, 1, 1), "one channel": (3, 1, 3, 3), "matrix": (7, 3)}
LAYOUTS = {"contiguous": torch.contiguous_format, "channels-last": torch.channels_last}
every_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
every_layout = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)


def pair(shape: tuple[int, ...], layout: torch.memory_format) -> tuple[SpectralNorm, _SpectralNorm, Tensor]:
    """Ours, PyTorch's with the same buffers, and a weight."""
    torch.manual_seed(0)
    weight = torch.randn(shape, dtype=torch.float64)
    if len(shape) == 4:
        weight = weight.to(memory_format=layout)
    ours, theirs = SpectralNorm(weight), _SpectralNorm(weight)
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs, weight.requires_grad_()


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@every_layout
@every_shape
def test_weights_gradients_and_buffers_are_pytorchs(
    shape: tuple[int, ...], layout: torch.memory_format, training: bool
) -> None:
    """Through three iterations, between which the weight moves."""
    *modules, weight = pair(shape, layout)
    for _ in range(3):
        direction = torch.randn(shape, dtype=torch.float64)
        found = []
        for module in modules:
            module.train(training)
            normalized = module(weight)
            found.append([normalized, *torch.autograd.grad(normalized, weight, direction), *module.buffers()])
        for one, other in zip(*found, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
        if len(shape) == 4:
            assert all(tensor.is_contiguous(memory_format=layout) for tensor in found[0][:2])
        with torch.no_grad():
            weight += 0.1 * torch.randn_like(weight)


@every_layout
@every_shape
def test_first_and_second_derivatives(shape: tuple[int, ...], layout: torch.memory_format) -> None:
    """In evaluation mode: the iteration's vectors count as constants."""
    module, _, weight = pair(shape, layout)
    module.eval()
    assert torch.autograd.gradcheck(module, weight)
    assert torch.autograd.gradgradcheck(module, weight)
    direction = torch.randn_like(weight)
    (closed,) = torch.autograd.grad(module(weight), weight, direction)
    (composed,) = torch.autograd.grad(module(weight), weight, direction, create_graph=True)
    torch.testing.assert_close(composed, closed, rtol=1e-12, atol=1e-12)


@every_layout
def test_a_gradient_penalty_in_training_mode(layout: torch.memory_format) -> None:
    """Its gradient for the weights goes through the backward pass of the convolution and that of the norm."""
    found = []
    for kind in (SpectralNorm, _SpectralNorm):
        torch.manual_seed(0)
        layer = nn.Conv2d(3, 4, 3).double().to(memory_format=layout)  # type: ignore[call-overload]
        torch.nn.utils.parametrize.register_parametrization(layer, "weight", kind(layer.weight.data))
        x = torch.randn(2, 3, 6, 6, dtype=torch.float64, requires_grad=True)
        (slope,) = torch.autograd.grad(layer(x).square().sum(), x, create_graph=True)
        slope.square().sum().backward()
        found.append([parameter.grad for parameter in layer.parameters()])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_the_gradient_outlives_a_later_iteration() -> None:
    """Two passes before one backward pass, as for real and generated images."""
    ours, theirs, weight = pair(SHAPES["kernel"], torch.channels_last)
    found = []
    for module in (ours, theirs):
        first, second = module(weight), module(weight)
        found.append(torch.autograd.grad((first.sin() + 2 * second.cos()).sum(), weight)[0])
    torch.testing.assert_close(*found, rtol=1e-12, atol=1e-12)


def test_transformations_of_functions_and_compilers_see_every_operation() -> None:
    ours, theirs, weight = pair(SHAPES["kernel"], torch.channels_last)
    weight = weight.detach()
    found = []
    for module in (ours.eval(), theirs.eval()):
        found.append(torch.func.jacrev(module)(weight))
        compiled = torch.compile(copy.deepcopy(module), backend="aot_eager", fullgraph=True)
        torch.testing.assert_close(compiled(weight), module(weight))
    torch.testing.assert_close(*found, rtol=1e-12, atol=1e-12)

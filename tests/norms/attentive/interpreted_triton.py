"""What Triton's interpreter computes with the kernels; run by ``test_triton_path.py`` in a process of its own.

The interpreter takes the place of the compiler where ``TRITON_INTERPRET=1`` is set before Triton is imported.
"""

import logging
from typing import Any

import pytest
import torch
from torch import Tensor

import lit_an.norms.attentive.dispatch as dispatch
import lit_an.norms.attentive.functional as AN
import lit_an.norms.attentive.operator as operator
import lit_an.norms.attentive.triton_launches as launches
import lit_an.norms.attentive.triton_path as triton_path
from lit_an.norms import AttentiveNorm2d
from lit_an.norms.attentive.inputs import Inputs

TOLERANCE = {torch.float32: 1e-5, torch.float16: 2e-3, torch.bfloat16: 1.5e-2}


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is known yet, and numbers are the same in every run."""
    monkeypatch.setattr(triton_path, "_STATE", triton_path._State())
    torch.manual_seed(0)


def make_inputs(shape: tuple[int, ...], regions: int, offset: float = 2.0, **absent: None) -> Inputs:
    """Leaves in float64 whose values float32 holds."""
    batch, channels, *_ = shape

    def leaf(*size: int) -> Tensor:
        return torch.randn(size).double().requires_grad_()

    x = (torch.randn(shape) + offset).double().requires_grad_()
    projections = [leaf(channels, channels), leaf(batch, regions, channels)]
    others = [leaf(batch, regions), leaf(), leaf(regions, channels), leaf(regions, channels)]
    with torch.no_grad():
        for projection in projections:
            projection.copy_((projection / channels**0.5).float())
    return Inputs(x, *projections, *others)._replace(**absent)


def expect(inputs: Inputs, gradient: Tensor) -> list[Tensor]:
    """Result and gradients of the oracle in float64, by autograd."""
    output = AN.attentive_normalize(*inputs[:4], 0.7, *inputs[4:])
    leaves = [tensor for tensor in inputs if tensor is not None]
    return [output, *torch.autograd.grad(output, leaves, gradient)]


def compute(inputs: Inputs, x: Tensor, gradient: Tensor) -> list[Tensor]:
    """The same by the kernels, of single precision and of ``x``."""
    single = Inputs(*(None if tensor is None else tensor.detach().float() for tensor in inputs))._replace(x=x)
    output, saved = triton_path.forward(single, 0.7, 1e-5, True)
    found = triton_path.backward(single, 0.7, 1e-5, saved, gradient)
    assert triton_path._STATE.works == {}, "no kernel failed"
    assert [like.shape for like in triton_path.saved_like(x, single.filters.shape[1])] == [one.shape for one in saved]
    return [output, *(tensor for tensor in found if tensor is not None)]


def check_close(found: list[Tensor], expected: list[Tensor], tolerance: float) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        assert (one.double() - other).norm() <= tolerance * other.norm()


def in_order(tensor: Tensor, order: str) -> Tensor:
    """The same numbers in another order of memory."""
    if order == "last":
        return tensor.contiguous(memory_format=torch.channels_last)
    if order == "sliced":  # rows with gaps between them; of every other image and channel
        batch, channels, height, width = tensor.shape
        wide = tensor.new_zeros(2 * batch, channels + 3, height, width + 2)
        wide[::2, 2:-1, :, 1:-1] = tensor
        return wide[::2, 2:-1, :, 1:-1]
    if order == "channels":  # one step for positions still
        wide = tensor.new_zeros(tensor.shape[0], 2 * tensor.shape[1], *tensor.shape[2:])
        wide[:, ::2] = tensor
        return wide[:, ::2]
    return tensor.transpose(2, 3).contiguous().transpose(2, 3) if order == "columns" else tensor


@pytest.mark.parametrize(
    ("shape", "regions", "order", "dtype"),
    [
        ((2, 3, 5, 7), 1, "first", torch.float32),
        ((2, 3, 9, 9), 4, "last", torch.float32),
        ((1, 16, 8, 8), 16, "sliced", torch.float32),
        ((1, 16, 5, 7), 64, "columns", torch.float32),
        ((1, 100, 3, 11), 16, "first", torch.float32),
        pytest.param((1, 40, 5, 7), 16, "channels", torch.float32, marks=pytest.mark.slow),
        pytest.param((1, 100, 4, 5), 20, "last", torch.float32, marks=pytest.mark.slow),
        pytest.param((1, 260, 3, 3), 64, "first", torch.float32, marks=pytest.mark.slow),
        ((2, 3, 5, 7), 4, "sliced", torch.float16),
        pytest.param((1, 100, 5, 7), 16, "last", torch.float16, marks=pytest.mark.slow),
        pytest.param((2, 16, 9, 9), 16, "first", torch.bfloat16, marks=pytest.mark.slow),
        ((1, 100, 3, 7), 64, "last", torch.bfloat16),
    ],
)
def test_values_and_gradients_equal_the_oracle(
    shape: tuple[int, ...], regions: int, order: str, dtype: torch.dtype
) -> None:
    inputs = make_inputs(shape, regions)
    x, gradient = inputs.x.detach().to(dtype), torch.randn(shape).to(dtype)
    exact = inputs._replace(x=x.double().requires_grad_())
    found = compute(inputs, in_order(x, order), in_order(gradient, order))
    check_close(found, expect(exact, gradient.double()), TOLERANCE[dtype])
    assert found[0].dtype == found[1].dtype == dtype
    memory_format = torch.channels_last if order == "last" else torch.contiguous_format
    assert all(tensor.is_contiguous(memory_format=memory_format) for tensor in found[:2])


@pytest.mark.parametrize(
    "programs", [pytest.param(1, marks=pytest.mark.slow), 4, pytest.param(1024, marks=pytest.mark.slow)]
)
def test_sums_over_any_number_of_programs(programs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With 4, each sums over three of an image's five tiles, the last one over fewer; twice the same bits."""
    monkeypatch.setattr(launches, "_PROGRAMS", programs)
    inputs, gradient = make_inputs((2, 17, 13, 11), 4), torch.randn(2, 17, 13, 11)
    found = compute(inputs, inputs.x.detach().float(), gradient)
    check_close(found, expect(inputs, gradient.double()), 1e-5)
    again = compute(inputs, inputs.x.detach().float(), gradient)
    assert all(torch.equal(one, other) for one, other in zip(found, again, strict=True))


@pytest.mark.parametrize("absent", [{"constants": None}, {"weight": None, "bias": None}, {"bias": None}])
def test_what_is_not_there_has_no_gradient(absent: dict[str, None]) -> None:
    inputs, gradient = make_inputs((2, 5, 4, 6), 3, **absent), torch.randn(2, 5, 4, 6)
    check_close(compute(inputs, inputs.x.detach().float(), gradient), expect(inputs, gradient.double()), 1e-5)


def test_gain_and_shift_of_each_image_and_a_gradient_that_all_share() -> None:
    inputs = make_inputs((2, 5, 4, 6), 3)
    weight, bias = (torch.randn(2, 3, 5).double().requires_grad_() for _ in range(2))
    inputs, gradient = inputs._replace(weight=weight, bias=bias), torch.randn(1, 1, 4, 6).expand(2, 5, 4, 6)
    check_close(compute(inputs, inputs.x.detach().float(), gradient), expect(inputs, gradient.double()), 1e-5)


def test_a_large_offset_costs_no_precision() -> None:
    """As the oracle in float32, and not as sums of squares of the offset."""
    inputs, gradient = make_inputs((1, 6, 9, 9), 4, offset=1e3), torch.randn(1, 6, 9, 9)
    with torch.no_grad():
        inputs.filters.div_(1e3)
        inputs.residual_scale.fill_(100.0)
    found = compute(inputs, inputs.x.detach().float(), gradient)
    normalized, exact = found[0].double() - inputs.x, expect(inputs, gradient.double())[0] - inputs.x
    assert (normalized - exact).norm() < 1e-3 * exact.norm()


def test_regions_of_almost_no_mass_and_constant_maps_stay_finite() -> None:
    inputs, gradient = make_inputs((1, 6, 5, 5), 4), torch.randn(1, 6, 5, 5)
    with torch.no_grad():
        inputs.filters.mul_(300)
    for x in (inputs.x.detach().float(), torch.full((1, 6, 5, 5), 3.0)):
        assert all(torch.isfinite(tensor).all() for tensor in compute(inputs, x, gradient))


def step(norm: AttentiveNorm2d, call: Any, x: Tensor) -> list[Tensor]:
    torch.manual_seed(1)  # the layout samples
    output = call(x)
    return [output, *torch.autograd.grad(output.square().sum(), [x, *norm.parameters()])]


@pytest.mark.parametrize("compiled", [False, True])
def test_the_layer_calls_it_as_any_other_path(compiled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    norm = AttentiveNorm2d(16, num_regions=4, affine=True)
    with torch.no_grad():
        norm.residual_scale.fill_(1.0)
    x = torch.randn(2, 16, 8, 8, requires_grad=True)
    expected = step(norm, norm, x)
    calls: list[str] = []
    launch = triton_path._launch
    monkeypatch.setattr(triton_path, "_launch", lambda name, *rest: (calls.append(name), launch(name, *rest)))
    monkeypatch.setattr(dispatch, "path_of", lambda *args: triton_path)
    monkeypatch.setattr(operator, "_path_of", lambda *args: triton_path)
    call = torch.compile(norm, backend="aot_eager", fullgraph=True) if compiled else norm
    for one, other in zip(step(norm, call, x), expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)
    backward = ["joint_gradient", "input_gradient", "weight_gradient", "weight_gradient"]
    assert calls == ["region_sums", "normalized", "region_sums", *backward]


@pytest.mark.parametrize("dtype", [torch.float32, pytest.param(torch.float16, marks=pytest.mark.slow), torch.bfloat16])
def test_the_small_map_of_the_first_use_passes(
    dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(triton_path, "_is_wanted", lambda device: True)
    state = torch.get_rng_state()
    assert triton_path._works(torch.empty(1, 1, 1, 1, dtype=dtype))
    assert caplog.messages == []
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    "kernel",
    [
        "normalized",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("region_sums", "joint_gradient", "input_gradient", "weight_gradient")
        ),
    ],
)
def test_a_kernel_with_other_numbers_is_switched_off(
    kernel: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its largest result is a little too large, as by a wrong mask."""
    launch = triton_path._launch

    def wrong(name: str, programs: int, arguments: launches.Arguments) -> None:
        launch(name, programs, arguments)
        if name == kernel:
            result = next(arguments[key] for key in ("first", "joint", "out") if key in arguments)
            result.view(-1)[result.abs().argmax()] *= 1.1

    monkeypatch.setattr(triton_path, "_is_wanted", lambda device: True)
    monkeypatch.setattr(triton_path, "_launch", wrong)
    caplog.set_level(logging.WARNING)
    x = torch.empty(1, 1, 1, 1)
    assert not triton_path._works(x)
    assert not triton_path._works(x)
    (message,) = caplog.messages
    assert "float32 maps on cpu runs without its Triton kernels, slower: a small map differs" in message

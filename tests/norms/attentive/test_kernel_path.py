"""The compiled kernel against the plain composition in float64 and the path of blocks: values and all gradients."""

import threading

import pytest
import torch
from torch import Tensor

import lit_an.norms.attentive.block_path as block_path
import lit_an.norms.attentive.dispatch as dispatch
import lit_an.norms.attentive.functional as AN
import lit_an.norms.attentive.kernel_library as kernel_library
import lit_an.norms.attentive.kernel_path as kernel_path
from lit_an.norms import AttentiveNorm2d
from lit_an.norms.attentive.inputs import Inputs as Tensors

pytestmark = pytest.mark.skipif(
    kernel_library.library() is None, reason="needs the compiled kernel: a C compiler, and PyTorch on OpenMP"
)
Inputs = dict[str, Tensor | float | None]
ORDERS = [torch.contiguous_format, torch.channels_last]


def make_inputs(
    shape: tuple[int, int, int, int], regions: int = 16, affine: bool = True, constants: bool = True
) -> Inputs:
    """In float64, but numbers of float32, so that both paths are asked the same."""
    batch, channels, *_ = shape

    def leaf(*size: int, factor: float = 1.0) -> Tensor:
        return (factor * torch.randn(size)).double()

    return {
        "x": leaf(*shape),
        "value_weight": leaf(channels, channels, factor=channels**-0.5),
        "filters": leaf(batch if constants else 1, regions, channels),
        "constants": leaf(batch, regions) if constants else None,
        "temperature": 2.0 * channels**-0.5,
        "residual_scale": leaf(),
        "weight": leaf(regions, channels) if affine else None,
        "bias": leaf(regions, channels) if affine else None,
    }


def evaluate(
    function: object, inputs: Inputs, upstream: Tensor, dtype: torch.dtype, order: torch.memory_format
) -> list:
    """The result and the gradients of all inputs, the map in a type and an order of memory."""
    own = {name: value.detach().clone() if isinstance(value, Tensor) else value for name, value in inputs.items()}
    if dtype != torch.float64:
        own = {name: value.float() if isinstance(value, Tensor) else value for name, value in own.items()}
    own["x"] = own["x"].to(dtype).contiguous(memory_format=order)
    leaves = [value.requires_grad_() for value in own.values() if isinstance(value, Tensor)]
    output = function(**own)  # type: ignore[operator]
    return [output, *torch.autograd.grad(output, leaves, upstream.to(dtype))]


def assert_close(actual: list[Tensor], expected: list[Tensor], tolerance: float = 1e-4) -> None:
    """Of each tensor, the largest difference beside the largest value."""
    for one, other in zip(actual, expected, strict=True):
        assert torch.isfinite(one).all()
        assert (one.double() - other).abs().max() <= tolerance * other.abs().max().clamp_min(0.1)


def compare(inputs: Inputs, order: torch.memory_format = torch.contiguous_format, tolerance: float = 1e-4) -> None:
    x = inputs["x"]
    assert isinstance(x, Tensor)
    assert dispatch.path_of(x.float().contiguous(memory_format=order), 1) is kernel_path
    upstream = torch.randn(x.shape).double()
    expected = evaluate(AN.attentive_normalize, inputs, upstream, torch.float64, order)
    actual = evaluate(dispatch.attentive_normalize, inputs, upstream, torch.float32, order)
    assert actual[0].is_contiguous(memory_format=order)
    assert actual[1].is_contiguous(memory_format=order)
    assert_close(actual, expected, tolerance)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize(
    "shape",
    [(3, 5, 6, 7), (1, 32, 24, 24), (5, 33, 5, 9), (2, 3, 1, 1), (2, 1, 4, 4), (1, 130, 17, 19), (2, 16, 71, 67)],
    ids=str,
)
def test_equals_the_plain_composition_in_float64(
    shape: tuple[int, int, int, int], kept: bool, order: torch.memory_format, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel_path, "_keeps", lambda *args: kept)
    compare(make_inputs(shape), order)


@pytest.mark.parametrize("regions", [1, 3, 16, 17, 40, 64])
@pytest.mark.parametrize("affine", [False, True])
def test_any_number_of_regions(regions: int, affine: bool) -> None:
    compare(make_inputs((2, 12, 13, 11), regions, affine, constants=affine))


@pytest.mark.parametrize("order", ORDERS)
def test_a_large_offset_costs_no_precision(order: torch.memory_format) -> None:
    inputs = make_inputs((2, 16, 32, 32))
    x, filters = inputs["x"], inputs["filters"]
    assert isinstance(x, Tensor)
    assert isinstance(filters, Tensor)
    offset = 1e3 * torch.randn(16).double()
    across = filters - (filters @ offset)[..., None] * offset / offset.square().sum()  # else one region takes all
    inputs.update(x=(x + offset[:, None, None]).float().double(), filters=across.float().double())
    compare(inputs, order, 5e-4)


def test_regions_of_almost_no_mass_and_constant_channels() -> None:
    inputs = make_inputs((2, 8, 12, 12), affine=False)
    inputs["filters"] = inputs["filters"] * 40  # type: ignore[operator]
    inputs["x"][:, ::2] = 3.0  # type: ignore[index]
    found = evaluate(dispatch.attentive_normalize, inputs, torch.ones(2, 8, 12, 12), torch.float32, ORDERS[0])
    assert all(torch.isfinite(one).all() for one in found)
    torch.testing.assert_close(found[0].double(), AN.attentive_normalize(**inputs), rtol=1e-3, atol=1e-3)  # type: ignore[arg-type]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kept", [True, False])
def test_bfloat16_maps_are_read_and_rounded(
    order: torch.memory_format, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel_path, "_keeps", lambda *args: kept)
    inputs = make_inputs((2, 19, 11, 13))
    inputs["x"] = inputs["x"].bfloat16().double()  # type: ignore[union-attr]
    upstream = torch.randn(2, 19, 11, 13).bfloat16().double()
    expected = evaluate(AN.attentive_normalize, inputs, upstream, torch.float64, order)
    actual = evaluate(dispatch.attentive_normalize, inputs, upstream, torch.bfloat16, order)
    assert actual[0].dtype == actual[1].dtype == torch.bfloat16
    for one, other in zip(actual[:2], expected[:2], strict=True):
        half_a_step = other.abs() * 2**-8 + 1e-4
        assert ((one.double() - other).abs() <= half_a_step).all()
    assert_close(actual[2:], expected[2:])


def test_equals_the_path_of_blocks_in_evaluation() -> None:
    norm, x = AttentiveNorm2d(24, affine=True).eval(), torch.randn(2, 24, 40, 30)
    with torch.no_grad():
        norm.residual_scale.fill_(0.7)
        kernel = norm(x)
        parameters = (norm.value.weight.flatten(1), norm.layout.entities.expand(2, -1, -1), None)
        inputs = Tensors(x, *parameters, norm.residual_scale, norm.weight, norm.bias)
        blocks, _ = block_path.forward(inputs, norm.layout.temperature, norm.eps, False)
    torch.testing.assert_close(kernel, blocks, rtol=0, atol=2e-5)


@pytest.mark.parametrize("shape", [(1, 8, 40, 40), (3, 8, 17, 19), (7, 4, 12, 12)])
def test_numbers_of_threads_differ_by_rounding_only(shape: tuple[int, int, int, int]) -> None:
    inputs, upstream = make_inputs(shape), torch.randn(shape).double()
    found = []
    for threads in (1, 2, 3, 7):
        torch.set_num_threads(threads)
        try:
            run = [evaluate(dispatch.attentive_normalize, inputs, upstream, torch.float32, ORDERS[0]) for _ in range(2)]
        finally:
            torch.set_num_threads(1)
        assert all(torch.equal(one, other) for one, other in zip(*run, strict=True)), "not the same from run to run"
        found.append(run[0])
    for other in found[1:]:
        assert_close(other, [one.double() for one in found[0]], 1e-5)


def test_threads_of_the_interpreter_do_not_disturb_each_other() -> None:
    cases = [(make_inputs((1, 6 + 5 * i, 30, 30)), torch.randn(1, 6 + 5 * i, 30, 30).double()) for i in range(2)]
    expected = [evaluate(AN.attentive_normalize, *case, torch.float64, ORDERS[0]) for case in cases]
    found: list[list[list[Tensor]]] = [[], []]

    def work(index: int) -> None:
        torch.set_num_threads(2)
        for _ in range(10):
            found[index].append(evaluate(dispatch.attentive_normalize, *cases[index], torch.float32, ORDERS[0]))

    threads = [threading.Thread(target=work, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    torch.set_num_threads(1)
    for index in range(2):
        assert len(found[index]) == 10
        for run in found[index]:
            assert_close(run, expected[index])


@pytest.mark.parametrize(
    "x",
    [
        torch.zeros(1, 4, 8, 8, dtype=torch.float64),
        torch.zeros(1, 4, 8, 8, dtype=torch.float16),
        torch.zeros(0, 4, 8, 8),
        torch.zeros(1, 8, 8, 8)[:, :4].expand(2, -1, -1, -1),
        torch.zeros(1, 4, 8, 16)[..., ::2],
        torch.zeros(1, 4, 8, 8, device="meta"),
    ],
    ids=["float64", "float16", "empty", "expanded", "every other column", "meta"],
)
def test_what_the_kernel_does_not_know_goes_through_blocks(x: Tensor) -> None:
    assert dispatch.path_of(x, 4) is block_path


def test_too_many_regions_go_through_blocks() -> None:
    x = torch.zeros(1, 4, 16, 16)
    assert dispatch.path_of(x, 64) is kernel_path
    assert dispatch.path_of(x, 65) is block_path


def test_a_gradient_in_another_order_of_memory() -> None:
    inputs = make_inputs((2, 8, 9, 10))
    upstream = torch.randn(2, 8, 9, 10)
    expected = evaluate(dispatch.attentive_normalize, inputs, upstream, torch.float32, ORDERS[0])
    last = upstream.contiguous(memory_format=torch.channels_last)
    actual = evaluate(dispatch.attentive_normalize, inputs, last, torch.float32, ORDERS[0])
    assert all(torch.equal(one, other) for one, other in zip(actual, expected, strict=True))


def test_not_a_number_stays_visible() -> None:
    norm, x = AttentiveNorm2d(8, num_regions=4).eval(), torch.randn(2, 8, 16, 16)
    x[0, 3, 5, 5] = float("nan")
    with torch.no_grad():
        norm.residual_scale.fill_(1.0)
        y = norm(x)
    assert y[0].isnan().all()
    assert torch.isfinite(y[1]).all()

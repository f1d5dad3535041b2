"""The fast paths against the plain one: the same values, gradients and second gradients, in any order of memory.

In float64 the path of blocks is meant; what is in float32 goes through both, where there is a kernel.
"""

import pytest
import torch
from torch import Tensor

import lit_an.norms.attentive.dispatch as dispatch
import lit_an.norms.attentive.functional as AN
import lit_an.norms.attentive.kernel_path as kernel_path
import lit_an.norms.attentive.position_blocks as position_blocks
from lit_an.norms import AttentiveNorm2d

Inputs = dict[str, Tensor | float | None]


both_paths = pytest.mark.usefixtures("path")


def make_inputs(
    shape: tuple[int, int, int, int] = (3, 5, 6, 7), affine: bool = True, per_image: bool = True, offset: float = 2.0
) -> Inputs:
    batch, channels, *_ = shape

    def leaf(*size: int) -> Tensor:
        return torch.randn(size, dtype=torch.float64).requires_grad_()

    return {
        "x": (torch.randn(shape, dtype=torch.float64) + offset).requires_grad_(),
        "value_weight": leaf(channels, channels),
        "filters": leaf(batch if per_image else 1, 4, channels),
        "constants": leaf(batch, 4) if per_image else None,
        "temperature": 0.7,
        "residual_scale": leaf(),
        "weight": leaf(4, channels) if affine else None,
        "bias": leaf(4, channels) if affine else None,
    }


def gradients(function: object, inputs: Inputs, upstream: Tensor) -> tuple[Tensor, list[Tensor]]:
    leaves = [value for value in inputs.values() if isinstance(value, Tensor)]
    output = function(**inputs)  # type: ignore[operator]
    return output, list(torch.autograd.grad(output, leaves, upstream))


@pytest.mark.parametrize(
    ("block", "kept"), [(1 << 17, 1 << 22), (60, 1 << 22), (60, 0)], ids=["one block", "kept", "again"]
)
@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("per_image", [False, True])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_values_and_gradients_equal_the_plain_path(
    block: int,
    kept: int,
    affine: bool,
    per_image: bool,
    memory_format: torch.memory_format,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(position_blocks, "_BLOCK", block)
    monkeypatch.setattr(position_blocks, "_LARGEST_SCRATCH", kept)
    monkeypatch.setattr(position_blocks, "_SMALLEST_BLOCK", 8)
    inputs = make_inputs(affine=affine, per_image=per_image)
    inputs["x"] = inputs["x"].detach().contiguous(memory_format=memory_format).requires_grad_()  # type: ignore[union-attr]
    upstream = torch.randn(3, 5, 6, 7, dtype=torch.float64)
    expected, expected_gradients = gradients(AN.attentive_normalize, inputs, upstream)
    actual, actual_gradients = gradients(dispatch.attentive_normalize, inputs, upstream)
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-10)
    for one, other in zip(actual_gradients, expected_gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)
    assert actual.is_contiguous(memory_format=memory_format)


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
@pytest.mark.parametrize("shape", [(1, 5, 6, 8), (3, 5, 6, 8), (1, 5, 5, 7)])
def test_any_number_of_threads_computes_the_same(
    threads: int, shape: tuple[int, int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)  # how the map is cut, not how it is computed
    monkeypatch.setattr(position_blocks, "_BLOCK", 60)
    monkeypatch.setattr(position_blocks, "_SMALLEST_BLOCK", 2)
    inputs = make_inputs(shape)
    upstream = torch.randn(shape, dtype=torch.float64)
    expected, expected_gradients = gradients(AN.attentive_normalize, inputs, upstream)
    actual, actual_gradients = gradients(dispatch.attentive_normalize, inputs, upstream)
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-10)
    for one, other in zip(actual_gradients, expected_gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


def test_small_images_go_several_to_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(position_blocks, "_BLOCK", 5 * 42 * 2)
    monkeypatch.setattr(position_blocks, "_SMALLEST_BLOCK", 8)
    inputs = make_inputs()
    blocks = position_blocks.PositionBlocks(
        inputs["x"], inputs["value_weight"], inputs["filters"], inputs["constants"], 0.7
    )  # type: ignore[arg-type]
    assert [(images.start, images.stop) for images, _ in blocks.places] == [(0, 2), (2, 4)]
    assert blocks.lanes == 1
    torch.testing.assert_close(dispatch.attentive_normalize(**inputs), AN.attentive_normalize(**inputs))  # type: ignore[arg-type]


def test_a_gradient_of_a_gradient_takes_the_plain_path() -> None:
    inputs = make_inputs((1, 3, 3, 3))
    leaves = tuple(value for value in inputs.values() if isinstance(value, Tensor))
    names = [name for name, value in inputs.items() if isinstance(value, Tensor)]

    def function(*values: Tensor) -> Tensor:
        return dispatch.attentive_normalize(**{**inputs, **dict(zip(names, values, strict=True))})  # type: ignore[arg-type]

    assert torch.autograd.gradcheck(function, leaves)
    assert torch.autograd.gradgradcheck(function, leaves)


def test_a_gradient_penalty_through_the_layer_reaches_its_weights() -> None:
    norm = AttentiveNorm2d(6, num_regions=4).double()
    with torch.no_grad():
        norm.residual_scale.fill_(0.5)
    x = torch.randn(2, 6, 8, 8, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(norm(x).square().sum(), x, create_graph=True)
    gradient.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in (norm.layout.entities, norm.value.weight))


@both_paths
def test_only_the_wanted_gradients_are_asked_for() -> None:
    norm = AttentiveNorm2d(6, num_regions=4)
    norm.requires_grad_(False)
    x = torch.randn(2, 6, 8, 8, requires_grad=True)
    norm(x).sum().backward()
    assert x.grad is not None
    assert all(p.grad is None for p in norm.parameters())


@both_paths
def test_a_hooked_layout_is_the_one_that_is_used() -> None:
    norm = AttentiveNorm2d(6, num_regions=4).eval()
    with torch.no_grad():
        norm.residual_scale.fill_(1.0)
        x = torch.randn(2, 6, 8, 8)
        fast = norm(x)
        seen: list[Tensor] = []
        handle = norm.layout.register_forward_hook(lambda module, inputs, output: seen.append(output))
        plain = norm(x)
        handle.remove()
    torch.testing.assert_close(fast, plain, rtol=0, atol=1e-5)
    torch.testing.assert_close(seen[0], norm.layout(x))


@both_paths
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_order_of_memory_is_kept_in_training(memory_format: torch.memory_format) -> None:
    norm = AttentiveNorm2d(16, num_regions=4)
    with torch.no_grad():
        norm.residual_scale.fill_(1.0)
    x = torch.randn(2, 16, 32, 32).contiguous(memory_format=memory_format).requires_grad_()
    y = norm(x)
    y.backward(torch.randn_like(y))
    assert y.is_contiguous(memory_format=memory_format)
    assert x.grad is not None
    assert x.grad.is_contiguous(memory_format=memory_format)


@both_paths
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_stays_close_to_float64(dtype: torch.dtype) -> None:
    norm = AttentiveNorm2d(32, num_regions=8).eval()
    with torch.no_grad():
        norm.residual_scale.fill_(1.0)
        x = torch.randn(2, 32, 16, 16)
        with torch.autocast("cpu", dtype):
            half = norm(x.to(dtype))
            wide = norm(x)
        exact = norm.double()(x.double())
    assert half.dtype == dtype
    assert (half.double() - exact).norm() / exact.norm() < 2e-2
    assert (wide.double() - exact).norm() / exact.norm() < 1e-5


@both_paths
def test_a_layer_in_half_precision_throughout() -> None:
    norm, x = AttentiveNorm2d(16, num_regions=4, affine=True).bfloat16(), torch.randn(2, 16, 8, 8).bfloat16()
    with torch.no_grad():
        norm.residual_scale.fill_(1.0)
    x.requires_grad_()
    y = norm(x)
    y.sum().backward()
    assert y.dtype == torch.bfloat16
    assert all(p.grad is not None and p.grad.dtype == torch.bfloat16 for p in [x, *norm.parameters()])
    handle = norm.layout.register_forward_hook(lambda *args: None)  # the plain path
    assert norm(x).dtype == torch.bfloat16
    handle.remove()


@both_paths
def test_a_large_offset_under_autocast_is_no_worse_than_instance_norm() -> None:
    norm = AttentiveNorm2d(16, num_regions=1).eval()
    with torch.no_grad():
        norm.residual_scale.fill_(1.0)
        torch.nn.init.eye_(norm.value.weight.view(16, 16))
        x = (torch.randn(2, 16, 16, 16) + 1e3).bfloat16()
        exact = torch.nn.functional.instance_norm(x.double())
        with torch.autocast("cpu", torch.bfloat16):
            theirs = torch.nn.functional.instance_norm(x)
            ours = norm(x.float()) - x.float()
    assert (ours.double() - exact).norm() <= (theirs.double() - exact).norm()


@both_paths
def test_extremes_give_finite_values_and_gradients() -> None:
    for shape, regions in (((2, 8, 1, 1), 1), ((1, 8, 4, 4), 15), ((1, 8, 16, 16), 4)):
        norm = AttentiveNorm2d(8, num_regions=regions)
        with torch.no_grad():
            norm.residual_scale.fill_(1.0)
            norm.layout.entities.mul_(100)  # regions of almost no mass
        for x in (torch.randn(shape), torch.full(shape, 3.0)):  # constant channels
            x.requires_grad_()
            norm(x).square().sum().backward()
            assert torch.isfinite(x.grad).all()  # type: ignore[arg-type]
            assert all(torch.isfinite(p.grad).all() for p in norm.parameters())  # type: ignore[arg-type]
    assert torch.isfinite(AttentiveNorm2d(8, num_regions=16).eval()(torch.randn(1, 8, 1, 1))).all()


def test_repeated_calls_do_not_disturb_each_other() -> None:
    """Temporaries are kept from call to call; what is saved for the backward pass must not be among them."""
    first, second = make_inputs((2, 5, 6, 7)), make_inputs((3, 5, 9, 4))
    upstream = torch.randn(2, 5, 6, 7, dtype=torch.float64)
    _, expected = gradients(AN.attentive_normalize, first, upstream)
    output = dispatch.attentive_normalize(**first)  # type: ignore[arg-type]
    dispatch.attentive_normalize(**second).sum().backward()  # type: ignore[arg-type]
    leaves = [value for value in first.values() if isinstance(value, Tensor)]
    for one, other in zip(torch.autograd.grad(output, leaves, upstream), expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


@both_paths
def test_training_goes_on_after_inference_mode() -> None:
    """Memory that is kept from an inference-mode call must stay writable."""
    position_blocks._SCRATCH.__dict__.clear()
    kernel_path._SCRATCH.__dict__.clear()
    norm, x = AttentiveNorm2d(8, num_regions=4), torch.randn(2, 8, 16, 16, requires_grad=True)
    with torch.inference_mode():
        norm(torch.randn(4, 8, 32, 32))
    norm(x).sum().backward()
    assert x.grad is not None


@both_paths
@pytest.mark.parametrize("training", [False, True])
def test_a_network_compiles_without_graph_breaks(training: bool) -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 16, 3, padding=1), AttentiveNorm2d(16, num_regions=4))
    with torch.no_grad():
        network[1].residual_scale.fill_(1.0)
    network.train(training)
    x = torch.randn(2, 3, 8, 8)
    torch._dynamo.reset()
    assert torch._dynamo.explain(network)(x).graph_break_count == 0
    compiled = torch.compile(network, backend="aot_eager", fullgraph=True)
    torch.manual_seed(1)
    expected = network(x)
    torch.manual_seed(1)
    torch.testing.assert_close(compiled(x), expected, rtol=0, atol=1e-5)
    if training:
        parameters = list(network.parameters())
        torch.manual_seed(1)
        theirs = torch.autograd.grad(network(x).square().sum(), parameters)
        torch.manual_seed(1)
        ours = torch.autograd.grad(compiled(x).square().sum(), parameters)
        for one, other in zip(ours, theirs, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)


@pytest.mark.gpu  # the products of the CPU path on cuBLAS
def test_a_gpu_gives_the_same_numbers_without_waiting_for_the_host() -> None:
    norm = AttentiveNorm2d(16, num_regions=4).cuda()
    with torch.no_grad():
        norm.residual_scale.fill_(1.0)
    x = torch.randn(2, 16, 32, 32, device="cuda")
    norm(x)
    torch.cuda.set_sync_debug_mode("error")
    try:
        norm(x)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    norm.eval()
    torch.testing.assert_close(norm(x).cpu(), norm.cpu()(x.cpu()), rtol=0, atol=1e-4)

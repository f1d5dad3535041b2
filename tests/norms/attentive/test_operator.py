"""Compiled and exported networks: one graph, the numbers of the eager network, and which operators are in it."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.utils import parametrize
from torch.utils.checkpoint import checkpoint

from lit_an.networks import CoarseToFineGenerator, ResNetGenerator
from lit_an.norms import AttentiveNorm2d
from lit_an.norms.attentive import operator
from lit_an.norms.recording import recorded_layouts
from tests.randomizing import randomized

KWARGS: dict[str, Any] = {"num_regions": 4}
OPERATOR = "lit_an.attentive_normalize"


both_paths = pytest.mark.usefixtures("path")


@pytest.fixture(autouse=True)
def nothing_compiled() -> None:
    torch._dynamo.reset()


def make_arguments(
    dtype: torch.dtype, order: torch.memory_format, affine: bool, needs_gradient: bool = True
) -> list[Any]:
    def leaf(*size: int) -> Tensor:
        return torch.randn(size).requires_grad_(needs_gradient)

    x = torch.randn(2, 8, 6, 5).to(dtype).contiguous(memory_format=order).requires_grad_(needs_gradient)
    affine_parameters = (leaf(4, 8), leaf(4, 8)) if affine else (None, None)
    return [x, leaf(8, 8), leaf(2, 4, 8), leaf(2, 4) if affine else None, leaf(), *affine_parameters, 0.7, 1e-5]


@both_paths
@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("affine", [False, True])
def test_the_operator_is_what_it_tells_compilers(dtype: torch.dtype, order: torch.memory_format, affine: bool) -> None:
    """PyTorch's own checks: shapes, types and strides of the fake implementation, no aliases, the backward pass."""
    arguments = make_arguments(dtype, order, affine)
    checks = ("test_schema", "test_autograd_registration", "test_faketensor", "test_aot_dispatch_static")
    torch.library.opcheck(operator.attentive_normalize, (*arguments, True), test_utils=checks)
    plain = make_arguments(dtype, order, affine, needs_gradient=False)
    torch.library.opcheck(operator.attentive_normalize, (*plain, False), test_utils=checks)
    _, *saved = operator.attentive_normalize(*plain, True)
    backward = operator._backward
    torch.library.opcheck(backward, (*plain, saved, torch.randn_like(plain[0])), test_utils=checks[::2])


def generator_of_classes() -> tuple[nn.Module, tuple[Tensor, ...]]:
    slots: dict[str, Any] = {"norm": "attentive", "norm_kwargs": KWARGS, "long_range_kwargs": KWARGS}
    network = ResNetGenerator(32, 3, latent_dim=8, base_width=2, long_range_resolution=16, **slots)
    return network, (torch.randn(3, 8), torch.arange(3))


def generator_of_fillings() -> tuple[nn.Module, tuple[Tensor, ...]]:
    mask = torch.zeros(2, 1, 18, 17)
    mask[:, :, 4:9, 3:10] = 1
    return CoarseToFineGenerator(width=2, long_range_kwargs=KWARGS), (torch.rand(2, 3, 18, 17), mask)


def step(run: Any, network: nn.Module, inputs: tuple[Tensor, ...]) -> list[Tensor]:
    """The results and the gradients of all parameters, for the same draws."""
    torch.manual_seed(1)
    network.zero_grad()
    found = run(*inputs)
    outputs = list(found) if isinstance(found, tuple) else [found]
    sum(output.square().sum() for output in outputs).backward()
    return [*outputs, *(p.grad.clone() for p in network.parameters() if p.grad is not None)]


def assert_close(actual: list[Tensor], expected: list[Tensor]) -> None:
    """Of each tensor, the largest difference beside the largest value of all gradients: rounding adds up."""
    for one, other in zip(actual, expected, strict=True):
        assert (one - other).abs().max() <= 1e-4 * other.abs().max().clamp_min(0.1)


class CountingBackend:
    """Compiles as ``aot_eager`` and counts the operator in the graphs that it is given."""

    def __init__(self) -> None:
        self.graphs, self.calls = 0, 0

    def __call__(self, graph: torch.fx.GraphModule, inputs: list[Any]) -> Any:
        self.graphs += 1
        self.calls += sum(OPERATOR in str(node.target) and node.op == "call_function" for node in graph.graph.nodes)
        return torch._dynamo.lookup_backend("aot_eager")(graph, inputs)


@pytest.mark.parametrize(
    ("make", "training"),
    [
        (generator_of_classes, False),
        pytest.param(generator_of_classes, True, marks=pytest.mark.slow),
        (generator_of_fillings, True),
    ],
)
def test_a_generator_is_one_graph_and_gives_what_it_gives_eagerly(make: Any, training: bool) -> None:
    torch.manual_seed(0)
    network, inputs = make()
    network = randomized(network, deviation=0.1).train(training)
    for module in network.modules():
        if isinstance(module, parametrize.ParametrizationList):
            module.eval()  # each power iteration would change the weights
    norms = sum(isinstance(module, AttentiveNorm2d) for module in network.modules())
    backend = CountingBackend()
    compiled = torch.compile(network, backend=backend, fullgraph=True)
    expected = step(network, network, inputs)
    unwatched = step(compiled, network, inputs)
    assert_close(unwatched, expected)
    assert (backend.graphs, backend.calls) == (1, norms)
    with recorded_layouts(network) as eager:
        step(network, network, inputs)
    for _ in range(2):
        with recorded_layouts(network) as recorded:
            watched = step(compiled, network, inputs)
    assert (backend.graphs, backend.calls) == (2, 2 * norms), "one more graph for watched layouts, and no further"
    assert all(torch.equal(one, other) for one, other in zip(watched, unwatched, strict=True))
    assert set(recorded) == set(eager)
    for name, (_, layout) in recorded.items():
        torch.testing.assert_close(layout, eager[name][1], rtol=1e-3, atol=1e-4)


@both_paths
def test_another_batch_size_takes_a_graph_for_all_sizes() -> None:
    norm = randomized(AttentiveNorm2d(8, num_regions=4)).eval()
    backend = CountingBackend()
    compiled = torch.compile(norm, backend=backend, fullgraph=True)
    for size in (2, 3, 5, 7):
        x = torch.randn(size, 8, 6 + size, 7)
        torch.testing.assert_close(compiled(x), norm(x), rtol=1e-4, atol=1e-5)
    assert backend.graphs == 2


@both_paths
@pytest.mark.parametrize("step", [1, 2])
def test_a_map_of_any_strides_is_compiled(step: int) -> None:
    norm = randomized(AttentiveNorm2d(8, num_regions=4)).eval()
    compiled = torch.compile(norm, backend="aot_eager", fullgraph=True)
    for x in (torch.randn(2, 8, 8, 16)[..., ::step], torch.randn(1, 8, 8, 8).expand(2, -1, -1, -1)):
        x = x.detach().requires_grad_()
        results = []
        for run in (norm, compiled):
            y = run(x)
            results.append([y, *torch.autograd.grad(y.square().sum(), (x, norm.value.weight))])
        for one, other in zip(*results, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


@both_paths
def test_a_gradient_penalty_through_the_operator() -> None:
    """The backend ``eager`` runs the graph with autograd, which differentiates the operator twice."""
    norm = randomized(AttentiveNorm2d(6, num_regions=4)).eval()
    compiled = torch.compile(norm, backend="eager", fullgraph=True)
    found = []
    for run in (norm, compiled):
        torch.manual_seed(3)
        x = torch.randn(2, 6, 8, 8, requires_grad=True)
        (gradient,) = torch.autograd.grad(run(x).square().sum(), x, create_graph=True)
        norm.zero_grad()
        gradient.square().sum().backward()
        found.append([x.grad, norm.layout.entities.grad, norm.value.weight.grad])
    assert all(one is not None and one.abs().sum() > 0 for one in found[0])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)


def test_gradients_of_single_samples_are_compiled_too() -> None:
    """A transformation of ``torch.func`` inside of what is compiled."""
    norm, x = randomized(AttentiveNorm2d(8, num_regions=4)).eval(), torch.randn(3, 8, 6, 6)
    parameters = dict(norm.named_parameters())

    def gradients(values: dict[str, Tensor], x: Tensor) -> dict[str, Tensor]:
        def loss(values: dict[str, Tensor], one: Tensor) -> Tensor:
            return functional_call(norm, values, (one[None],)).square().sum()

        return vmap(grad(loss), (None, 0))(values, x)

    expected = gradients(parameters, x)
    actual = torch.compile(gradients, backend="aot_eager", fullgraph=True)(parameters, x)
    for name, value in expected.items():
        torch.testing.assert_close(actual[name], value, rtol=1e-3, atol=1e-4)


@both_paths
def test_autocast_and_checkpointing_are_compiled_too() -> None:
    norm, x = randomized(AttentiveNorm2d(8, num_regions=4)), torch.randn(2, 8, 6, 6).bfloat16().requires_grad_()

    def run(x: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return checkpoint(norm, x, use_reentrant=False)

    found = []
    for one in (run, torch.compile(run, backend="aot_eager", fullgraph=True)):
        torch.manual_seed(1)
        y = one(x)
        found.append([y, *torch.autograd.grad(y.float().square().sum(), (x, *norm.parameters()))])
    assert found[1][0].dtype == torch.bfloat16
    for ours, theirs in zip(found[1], found[0], strict=True):
        torch.testing.assert_close(ours, theirs, rtol=2e-2, atol=2e-2)


@both_paths
@pytest.mark.parametrize("strict", [False, True])
def test_an_export_holds_operators_that_other_runtimes_have(strict: bool) -> None:
    norm, x = randomized(AttentiveNorm2d(8, num_regions=4)).eval(), torch.randn(3, 8, 6, 6)
    batch = torch.export.Dim("batch", min=1, max=64)
    with torch.no_grad():
        program = torch.export.export(norm, (x,), dynamic_shapes=({0: batch},), strict=strict)
        other = torch.randn(5, 8, 6, 6)
        torch.testing.assert_close(program.module()(other), norm(other), rtol=1e-4, atol=1e-5)
    graphs = [part.graph for part in program.graph_module.modules() if isinstance(part, torch.fx.GraphModule)]
    targets = {str(node.target) for graph in graphs for node in graph.nodes if node.op == "call_function"}
    assert "aten.softmax.int" in targets
    assert not [target for target in targets if "lit_an" in target]

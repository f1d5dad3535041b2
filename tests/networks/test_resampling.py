"""Cheap forms of convolutions that double or halve a map, against the plain order in float64."""

import copy
import io
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import lit_an.networks.resampling as resampling
from lit_an.networks import CoarseToFineGenerator, ProjectionDiscriminator, ResNetGenerator
from lit_an.networks.initialization import LayerFactory
from lit_an.networks.resampling import (
    Resampling,
    ResamplingConv2d,
    doubled_convolution,
    halved_convolution,
    same_convolution,
)

Convolution = Callable[[Tensor, Tensor, Tensor | None], Tensor]
FORMS = {"matrix": 0, "convolution": 1 << 62}  # limits


def plain_doubled(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return F.conv2d(x.repeat_interleave(2, 2).repeat_interleave(2, 3), weight, bias, padding=1)


def plain_halved(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return F.avg_pool2d(F.conv2d(x, weight, bias, padding=1), 2)


def plain_same(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return F.conv2d(x, weight, bias, padding=1)


PAIRS = [(doubled_convolution, plain_doubled), (halved_convolution, plain_halved), (same_convolution, plain_same)]
every_pair = pytest.mark.parametrize(("cheap", "plain"), PAIRS, ids=["doubled", "halved", "same"])
every_form = pytest.mark.parametrize("form", FORMS)


def set_limit(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resampling, "MATRIX_FROM", dict.fromkeys(resampling.MATRIX_FROM, limit))


def take(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is computed in this form."""
    set_limit(FORMS[form], monkeypatch)


def drawn(seed: int, layout: torch.memory_format = torch.contiguous_format) -> list[Tensor]:
    """A map of a random shape, weights and bias for it."""
    torch.manual_seed(seed)
    batch, channels, features = (int(torch.randint(1, 6, ())) for _ in range(3))
    height, width = (int(torch.randint(2, 10, ())) for _ in range(2))
    x = torch.randn(batch, channels, height, width, dtype=torch.float64)
    weight = torch.randn(features, channels, 3, 3, dtype=torch.float64)
    bias = torch.randn(features, dtype=torch.float64)
    return [x.to(memory_format=layout), weight.to(memory_format=layout), bias]


def with_gradients(function: Convolution, tensors: list[Tensor], direction: Tensor) -> list[Tensor]:
    tensors = [tensor.detach().requires_grad_() for tensor in tensors]
    output = function(*tensors)
    return [output, *torch.autograd.grad(output, tensors, direction)]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("seed", range(8))
@every_pair
@every_form
def test_outputs_and_gradients_are_those_of_the_plain_order(
    form: str,
    cheap: Convolution,
    plain: Convolution,
    seed: int,
    layout: torch.memory_format,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    take(form, monkeypatch)
    tensors = drawn(seed, layout)
    direction = torch.randn_like(plain(*tensors))
    found, expected = (with_gradients(function, tensors, direction) for function in (cheap, plain))
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(cheap(*tensors[:2], None), plain(*tensors[:2], None), rtol=1e-12, atol=1e-12)


@every_pair
@every_form
def test_first_and_second_derivatives(
    form: str, cheap: Convolution, plain: Convolution, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(form, monkeypatch)
    torch.manual_seed(0)
    shapes = [(2, 2, 4, 2), (3, 2, 3, 3), (3,)]
    tensors = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    assert torch.autograd.gradcheck(cheap, tensors)
    assert torch.autograd.gradgradcheck(cheap, tensors)


@every_pair
def test_the_form_depends_on_weights_and_positions_but_not_on_the_batch(
    cheap: Convolution, plain: Convolution, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 16 times 32 channels and 2×2 positions of the small map the line is at 128 weights a position."""
    forms = []
    for name in ("_matrix_convolution", "_matrix_doubled_convolution"):
        original = getattr(resampling, name)
        monkeypatch.setattr(resampling, name, lambda *a, f=original, **k: forms.append("matrix") or f(*a, **k))
    side = 4 if cheap is halved_convolution else 2
    for limit, expected in ((128, True), (129, False)):
        set_limit(limit, monkeypatch)
        for batch in (1, 2, 64):
            forms.clear()
            cheap(torch.zeros(batch, 16, side, side), torch.zeros(32, 16, 3, 3), None)
            assert bool(forms) is expected


def test_the_papers_networks_take_both_forms() -> None:
    """At 128 px with the published widths; the shapes are those of the benchmark."""
    matrix = [(cheap, c, d, n) for cheap, c, d, n in published_layers() if c * d / n > 4096]
    assert {cheap for cheap, *_ in matrix} == {"none", "double", "halve"}
    for cheap, c, d, positions in published_layers():
        chosen = resampling._prefers_matrix(cheap, torch.zeros(1, c, 1, 1), torch.zeros(d, c, 3, 3), positions)
        assert chosen is ((cheap, c, d, positions) in matrix)


def published_layers() -> list[tuple[Resampling, int, int, int]]:
    """Resampling, channels, and positions of the small map of every residual 3×3 convolution, on ``meta``."""
    found: list[tuple[Resampling, int, int, int]] = []

    def note(module: nn.Module, args: tuple[Tensor], output: Tensor) -> None:
        assert isinstance(module, ResamplingConv2d)
        small = min(args[0].shape[2] * args[0].shape[3], output.shape[2] * output.shape[3])
        found.append((module.resampling, module.in_channels, module.out_channels, small))

    with torch.device("meta"):
        generator = ResNetGenerator(128, 10, long_range="none", spectral_norm=False)
        discriminator = ProjectionDiscriminator(128, 10, spectral_norm=False)
        for network in (generator, discriminator):
            for module in network.modules():
                if isinstance(module, ResamplingConv2d):
                    module.register_forward_hook(note)
        generator(torch.zeros(1, 128), torch.zeros(1, 10))
        discriminator(torch.zeros(1, 3, 128, 128), torch.zeros(1, dtype=torch.int64))
    assert len(found) == 2 * 5 + 2 * 6
    return found


# Modules and networks


def plainly(self: ResamplingConv2d, x: Tensor) -> Tensor:
    """What the module stands for, in the order of the papers."""
    if self.resampling == "double":
        x = F.interpolate(x, scale_factor=2.0, mode="nearest")
    x = nn.Conv2d.forward(self, x)
    return F.avg_pool2d(x, 2) if self.resampling == "halve" else x


def class_conditional(kind: str) -> tuple[nn.Module, list[Tensor]]:
    label = torch.tensor([0, 2, 1])
    if kind == "generator":
        network = ResNetGenerator(32, 3, latent_dim=8, base_width=4, long_range_resolution=16)
        return network, [torch.randn(3, 8, dtype=torch.float64), label]
    image = torch.rand(3, 3, 32, 32, dtype=torch.float64) * 2 - 1
    return ProjectionDiscriminator(32, 3, base_width=4, long_range="self_attention", long_range_resolution=8), [
        image,
        label,
    ]


def inpainting(padding: str, size: tuple[int, int]) -> tuple[nn.Module, list[Tensor]]:
    mask = torch.zeros(2, 1, *size, dtype=torch.float64)
    mask[:, :, 3:9, 2:7] = 1
    network = CoarseToFineGenerator(width=4, padding=padding, spectral_norm=True)  # type: ignore[arg-type]
    return network, [torch.rand(2, 3, *size, dtype=torch.float64) * 2 - 1, mask]


NETWORKS: dict[str, Callable[[], tuple[nn.Module, list[Tensor]]]] = {
    "generator": lambda: class_conditional("generator"),
    "discriminator": lambda: class_conditional("discriminator"),
    "inpainting": lambda: inpainting("zeros", (16, 20)),
    "inpainting of an odd size": lambda: inpainting("zeros", (19, 21)),
    "inpainting, reflect": lambda: inpainting("reflect", (16, 20)),
    "inpainting, replicate": lambda: inpainting("replicate", (16, 20)),
}


@every_form
@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_against_its_plain_form(name: str, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In training mode, with spectral norm: outputs, gradients of all weights, and buffers afterwards."""
    take(form, monkeypatch)
    torch.manual_seed(1)
    network, inputs = NETWORKS[name]()
    network.double()
    plain = copy.deepcopy(network)
    found = results(network, inputs)
    with monkeypatch.context() as patch:
        patch.setattr(ResamplingConv2d, "forward", plainly)
        expected = results(plain, inputs)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11)


def results(network: nn.Module, inputs: list[Tensor]) -> list[Tensor]:
    torch.manual_seed(2)
    output = network(*inputs)
    outputs = list(output) if isinstance(output, tuple) else [output]
    # Drawn by shape: like a tensor, they would follow its order in memory.
    torch.stack([(part * torch.randn(part.shape, dtype=part.dtype)).sum() for part in outputs]).sum().backward()
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    return [*outputs, *gradients, *network.buffers()]


@pytest.mark.parametrize("spectral_norm", [True, False])
@pytest.mark.parametrize("resampled", ["none", "double", "halve"])
def test_weights_are_named_and_drawn_as_those_of_a_plain_convolution(resampled: str, spectral_norm: bool) -> None:
    layers = LayerFactory("xavier", spectral_norm=spectral_norm)
    states = []
    for make in (lambda: layers.residual_conv(3, 5, resampled), lambda: layers.conv(3, 5)):  # type: ignore[arg-type]
        torch.manual_seed(0)
        states.append(make().state_dict())
    assert list(states[0]) == list(states[1])
    for one, other in zip(states[0].values(), states[1].values(), strict=True):
        assert torch.equal(one, other)


def test_doubling_convolutions_of_mirrored_maps_keep_the_names_of_their_weights() -> None:
    """As of a convolution behind its border."""
    layers = LayerFactory("xavier", spectral_norm=False, padding="reflect")
    assert list(layers.doubling_conv(3, 5).state_dict()) == list(layers.conv(3, 5).state_dict())


@pytest.mark.parametrize("resampled", ["none", "double", "halve"])
def test_exported_graphs_have_plain_operators_for_every_batch(resampled: str) -> None:
    """Neither the choice nor the shapes of the example are part of the graph."""
    torch.manual_seed(0)
    layer = ResamplingConv2d(160, 160, resampled).eval()  # type: ignore[arg-type]
    x = torch.randn(5, 160, 2, 2)
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(layer, (torch.randn(3, 160, 2, 2),), dynamic_shapes=({0: batch},))
    called = {str(node.target) for node in program.graph.nodes if node.op == "call_function"}
    assert called <= {"aten.conv2d.default", "aten.upsample_nearest2d.vec", "aten.avg_pool2d.default"}
    file = io.BytesIO()
    torch.export.save(program, file)
    file.seek(0)
    torch.testing.assert_close(torch.export.load(file).module()(x), layer(x), rtol=1e-4, atol=1e-5)
    assert resampling._prefers_matrix(layer.resampling, x, layer.weight, 4), "the eager layer takes the other form"


@every_form
@every_pair
def test_transformations_of_functions(
    form: str, cheap: Convolution, plain: Convolution, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Per-sample gradients and derivatives forward."""
    take(form, monkeypatch)
    torch.manual_seed(0)
    x, weight = torch.randn(3, 1, 2, 4, 4), torch.randn(3, 2, 3, 3)

    def of(function: Convolution) -> tuple[Tensor, Tensor]:
        def energy(weight: Tensor, x: Tensor) -> Tensor:
            return function(x, weight, None).square().sum()

        each = torch.func.vmap(torch.func.grad(energy), (None, 0))(weight, x)
        return each, torch.func.jvp(lambda w: function(x[0], w, None), (weight,), (weight.flip(0),))[1]

    for one, other in zip(of(cheap), of(plain), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@every_form
@every_pair
def test_bfloat16_autocast(form: str, cheap: Convolution, plain: Convolution, monkeypatch: pytest.MonkeyPatch) -> None:
    """As near to the exact result as twice the plain order."""
    take(form, monkeypatch)
    torch.manual_seed(0)
    x, weight, bias = torch.randn(4, 32, 8, 8), torch.randn(32, 32, 3, 3) / 17, torch.randn(32)
    exact = plain(x, weight, bias)
    with torch.autocast("cpu", torch.bfloat16):
        found, plainly_found = cheap(x, weight, bias), plain(x, weight, bias)
    assert found.dtype == plainly_found.dtype == torch.bfloat16
    assert (found.float() - exact).norm() <= 2 * (plainly_found.float() - exact).norm()


@every_form
@every_pair
def test_compiled_in_one_graph(
    form: str, cheap: Convolution, plain: Convolution, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(form, monkeypatch)
    torch.compiler.reset()
    compiled = torch.compile(cheap, backend="aot_eager", fullgraph=True, dynamic=False)
    for seed in range(2):
        tensors = drawn(seed)
        direction = torch.randn_like(plain(*tensors))
        expected = with_gradients(plain, tensors, direction)
        for one, other in zip(with_gradients(compiled, tensors, direction), expected, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)

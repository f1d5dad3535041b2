"""The switches of attentive normalization: every path computes what the loops say, and old checkpoints load."""

import copy
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import lit_an.norms.attentive.block_path as block_path
import lit_an.norms.attentive.dispatch as dispatch
import lit_an.norms.attentive.functional as AN
import lit_an.norms.attentive.kernel_library as kernel_library
import lit_an.norms.attentive.kernel_path as kernel_path
from lit_an.errors import InputError
from lit_an.norms import AttentiveNorm2d, ConditionalBatchNorm2d, replace_norms
from lit_an.norms.recording import recorded_layouts
from tests.norms.oracles import oracle_layout, oracle_normalize
from tests.randomizing import randomized

both_paths = pytest.mark.usefixtures("path")
# (value_projection, class_affine, affine)
SWITCHES = [one for one in product([True, False], repeat=3) if one != (True, False, True)]


def made(value_projection: bool, class_affine: bool, affine: bool, **kwargs: Any) -> AttentiveNorm2d:
    norm = AttentiveNorm2d(
        6,
        num_regions=4,
        value_projection=value_projection,
        class_affine=class_affine,
        condition_features=3,
        affine=affine,
        **kwargs,
    )
    with torch.no_grad():
        if norm.weight is not None:
            norm.weight.normal_()
    return randomized(norm)


def condition_of(count: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(count, 3, dtype=dtype)


def oracle(norm: AttentiveNorm2d, x: Tensor, condition: Tensor) -> Tensor:
    """Evaluation in float64 by loops, one image at a time."""
    results = []
    for image, vector in zip(x.double(), condition.double(), strict=True):
        one = image[None]
        filters = norm.layout.entities.detach().double()[None]
        layout = oracle_layout(one, filters, torch.zeros(1, 4).double(), norm.layout.temperature)
        value = one
        if norm.value is not None:
            bias = None if norm.value.bias is None else norm.value.bias.detach().double()
            value = nn.functional.conv2d(one, norm.value.weight.detach().double(), bias)
        weight, shift = torch.ones(4, 6).double(), torch.zeros(4, 6).double()
        if norm.weight is not None and norm.bias is not None:
            weight, shift = norm.weight.detach().double().clone(), norm.bias.detach().double().clone()
        if norm.gain is not None and norm.shift is not None:
            for region, channel in torch.cartesian_prod(torch.arange(4), torch.arange(6)).tolist():
                row = region * 6 + channel
                weight[region, channel] += norm.gain.weight.detach().double()[row] @ vector
                shift[region, channel] += norm.shift.weight.detach().double()[row] @ vector
        normalized = oracle_normalize(value, layout, weight, shift, norm.moments, norm.eps)
        results.append(one + norm.residual_scale.detach().double() * normalized)
    return torch.cat(results)


@both_paths
@pytest.mark.parametrize("moments", ["soft", "masked"])
@pytest.mark.parametrize("switches", SWITCHES, ids=str)
@torch.no_grad()
def test_evaluation_equals_the_loops(switches: tuple[bool, bool, bool], moments: str) -> None:
    norm, x, condition = made(*switches, moments=moments).eval(), torch.randn(3, 6, 5, 4), condition_of(3)
    expected = oracle(norm, x, condition)
    torch.testing.assert_close(norm(x, condition).double(), expected, rtol=0, atol=1e-4)
    torch.testing.assert_close(norm.double()(x.double(), condition.double()), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("switches", SWITCHES, ids=str)
def test_gradients_in_float64(switches: tuple[bool, bool, bool]) -> None:
    """By the path of blocks, and once more by the plain composition."""
    norm = made(*switches, self_sampling=False).double()
    names = [name for name, _ in norm.named_parameters()]
    x, condition = torch.randn(2, 6, 3, 3, dtype=torch.float64), condition_of(2, torch.float64)
    leaves = [x, *([condition] if norm.gain is not None else []), *norm.parameters()]
    count = len(leaves) - len(names)

    def function(*leaves: Tensor) -> Tensor:
        values = dict(zip(names, leaves[count:], strict=True))
        result: Tensor = torch.func.functional_call(norm, values, leaves[:count])
        return result

    given = tuple(leaf.detach().clone().requires_grad_() for leaf in leaves)
    assert torch.autograd.gradcheck(function, given)
    assert torch.autograd.gradgradcheck(function, given)


def results(norm: AttentiveNorm2d, run: Any, x: Tensor, condition: Tensor) -> list[Tensor]:
    """Result and all gradients, for the same draws and the same upstream gradient."""
    torch.manual_seed(7)
    x = x.detach().requires_grad_()
    y = run(x, condition)
    upstream = torch.randn(y.shape, generator=torch.Generator().manual_seed(2)).to(y.dtype)
    return [y, *torch.autograd.grad(y, [x, *norm.parameters()], upstream)]


def in_float64(norm: AttentiveNorm2d, x: Tensor, condition: Tensor, monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """What the plain composition gives."""
    other = copy.deepcopy(norm).double()
    with monkeypatch.context() as patched:
        patched.setattr(dispatch, "attentive_normalize", AN.attentive_normalize)
        return results(other, other, x.double(), condition.double())


def assert_alike(ours: list[Tensor], theirs: list[Tensor]) -> None:
    """Of each tensor, the largest difference beside the largest value."""
    for one, other in zip(ours, theirs, strict=True):
        assert one.shape == other.shape
        assert (one.double() - other.double()).abs().max() <= 1e-4 * other.abs().max().clamp_min(0.1)


@both_paths
@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("switches", SWITCHES, ids=str)
def test_training_gives_the_gradients_of_the_plain_composition(
    switches: tuple[bool, bool, bool], order: torch.memory_format, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With self-sampling; eagerly, watched, and by parts where somebody hooks one."""
    norm, condition = made(*switches), condition_of(3)
    x = (torch.randn(3, 6, 12, 9) + 1).contiguous(memory_format=order)
    expected = in_float64(norm, x, condition, monkeypatch)
    eager = results(norm, norm, x, condition)
    assert eager[0].is_contiguous(memory_format=order)
    assert_alike(eager, expected)
    with recorded_layouts(norm) as recorded:
        watched = results(norm, norm, x, condition)
    assert all(torch.equal(one, other) for one, other in zip(watched, eager, strict=True))
    assert recorded["layout"][1].shape == (3, 4, 12, 9)
    norm.layout.register_forward_hook(lambda *_: None)
    assert_alike(results(norm, norm, x, condition), expected)


@both_paths
@pytest.mark.parametrize("switches", [(False, False, False), (False, True, True), (True, True, False)], ids=str)
def test_compiled_it_is_one_graph_with_the_same_gradients(
    switches: tuple[bool, bool, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    norm, condition, x = made(*switches), condition_of(3), torch.randn(3, 6, 12, 9)
    expected = in_float64(norm, x, condition, monkeypatch)
    torch._dynamo.reset()
    compiled = torch.compile(norm, backend="aot_eager", fullgraph=True)
    assert_alike(results(norm, compiled, x, condition), expected)


@pytest.mark.skipif(kernel_library.library() is None, reason="needs the compiled kernel")
def test_the_kernel_takes_all_of_them() -> None:
    assert dispatch.path_of(torch.randn(2, 6, 8, 8), 4) is kernel_path


def test_blocks_of_several_images_have_gains_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "path_of", lambda x, num_regions: block_path)
    norm, x, condition = made(True, True, True).double(), torch.randn(5, 6, 7, 5).double(), condition_of(5).double()
    y = norm.eval()(x, condition)
    alone = torch.cat([norm(x[index : index + 1], condition[index : index + 1]) for index in range(5)])
    torch.testing.assert_close(y, alone)


@both_paths
@pytest.mark.parametrize("switches", SWITCHES, ids=str)
def test_half_precision(switches: tuple[bool, bool, bool]) -> None:
    norm, x, condition = made(*switches).eval(), torch.randn(2, 6, 16, 16), condition_of(2)
    exact = oracle(norm, x.bfloat16(), condition)
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        half = norm(x.bfloat16(), condition)
    assert half.dtype == torch.bfloat16
    assert (half.double() - exact).norm() / exact.norm() < 2e-2


@pytest.mark.parametrize("switches", SWITCHES, ids=str)
def test_an_export_holds_standard_operators_and_no_product_with_the_identity(switches: tuple[bool, bool, bool]) -> None:
    norm, x, condition = made(*switches).eval(), torch.randn(3, 6, 8, 8), condition_of(3)
    batch = torch.export.Dim("batch", min=2, max=64)
    of_condition = {0: batch} if norm.gain is not None else None
    given = condition if norm.gain is not None else None
    with torch.no_grad():
        program = torch.export.export(norm, (x, given), dynamic_shapes=({0: batch}, of_condition))
        other, vector = torch.randn(5, 6, 8, 8), condition_of(5) if norm.gain is not None else None
        torch.testing.assert_close(program.module()(other, vector), norm(other, vector), rtol=1e-4, atol=1e-5)
    targets = [str(node.target) for node in program.graph.nodes if node.op == "call_function"]
    assert not [target for target in targets if "lit_an" in target or "eye" in target]


def test_old_checkpoints_load() -> None:
    """The names of all parameters with default arguments and with those that there were."""
    layout = {"entities", "key.weight", "key.bias", "query.weight", "query.bias", "sampling_scale"}
    names = {*(f"layout.{name}" for name in layout), "value.weight", "residual_scale"}
    assert set(AttentiveNorm2d(8).state_dict()) == names
    assert set(AttentiveNorm2d(8, condition_features=5).state_dict()) == names, "a width alone adds nothing"
    assert set(AttentiveNorm2d(8, affine=True).state_dict()) == names | {"weight", "bias"}
    assert set(AttentiveNorm2d(8, moments="masked").state_dict()) == names | {"value.bias"}


def test_what_the_switches_add_and_leave_out() -> None:
    plain = set(AttentiveNorm2d(8).state_dict())
    assert set(AttentiveNorm2d(8, value_projection=False).state_dict()) == plain - {"value.weight"}
    norm = AttentiveNorm2d(8, num_regions=4, class_affine=True, condition_features=5)
    assert set(norm.state_dict()) == plain | {"gain.weight", "shift.weight"}
    assert norm.gain.weight.shape == (32, 5)
    assert norm.condition_kind == "vector"
    assert AttentiveNorm2d.condition_kind == "none"
    other, x = AttentiveNorm2d(8, num_regions=4), torch.randn(2, 8, 4, 4)
    other.load_state_dict(norm.state_dict(), strict=False)
    with torch.no_grad():
        for one in (norm, other):
            one.residual_scale.fill_(0.7)
    # Gain and shift of the class are 0 at the start.
    torch.testing.assert_close(norm.eval()(x, torch.randn(2, 5)), other.eval()(x))


@both_paths
def test_every_parameter_learns() -> None:
    norm = randomized(AttentiveNorm2d(16, num_regions=4, affine=True, class_affine=True, condition_features=3))
    norm(torch.randn(2, 16, 8, 8), condition_of(2)).square().sum().backward()
    assert [name for name, p in norm.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


def test_without_a_class_there_is_one_sentence() -> None:
    with pytest.raises(InputError, match=r"class_affine needs a class vector and its width, condition_features=…"):
        AttentiveNorm2d(8, class_affine=True)
    norm, x = AttentiveNorm2d(8, num_regions=4, class_affine=True, condition_features=3), torch.randn(2, 8, 4, 4)
    with pytest.raises(InputError, match=r"class_affine needs a condition of shape \(2, 3\), got none"):
        norm(x)
    with pytest.raises(InputError, match=r"class_affine needs a condition of shape \(2, 3\), got \(2, 4\)"):
        norm(x, torch.randn(2, 4))


def test_a_replacement_takes_the_width_of_the_class_from_the_former_norm() -> None:
    network = nn.ModuleList([ConditionalBatchNorm2d(8, condition_features=5)])
    replace_norms(network, "attentive", class_affine=True, num_regions=4)
    assert network[0].gain.in_features == 5
    sentence = "norm 'attentive' with class_affine needs a condition vector, and the network gives none to 0"
    with pytest.raises(InputError, match=sentence):
        replace_norms(nn.Sequential(nn.BatchNorm2d(8)), "attentive", class_affine=True)

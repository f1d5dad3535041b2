"""Every norm goes through PyTorch's transformations of modules as ``nn.BatchNorm2d`` does."""

import copy
import io
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, jvp, replace_all_batch_norm_modules_, vmap
from torch.nn.utils import parametrizations, parametrize, prune
from torch.utils.checkpoint import checkpoint

import lit_an.norms.attentive.block_path as block_path
import lit_an.norms.attentive.dispatch as dispatch
from lit_an.errors import InputError
from lit_an.norms import NORMS, AttentiveNorm2d, total_penalty
from tests.norms.test_norm_registry import condition_for, make
from tests.randomizing import randomized

NAMES = NORMS.names()
# Their own backward passes have two implementations on this machine; the others have one.
PATHS = ["as it comes", "by blocks"]
CASES = [(name, path) for name in NAMES for path in (PATHS if name == "attentive" else PATHS[:1])]


@pytest.fixture
def norm(name: str, path: str, training: bool, monkeypatch: pytest.MonkeyPatch) -> nn.Module:
    if path == "by blocks":
        monkeypatch.setattr(dispatch, "path_of", lambda x, num_regions: block_path)
    torch.manual_seed(0)
    return without_power_iteration(randomized(make(name)).train(training))


def without_power_iteration(norm: nn.Module) -> nn.Module:
    """Spectral norm's iteration rests: at each call it would give each call another weight."""
    for module in norm.modules():
        if isinstance(module, parametrize.ParametrizationList):
            module.eval()
    return norm


def seeded(run: Callable[[], Any]) -> Any:
    """The result with the draws of self-sampling always the same."""
    torch.manual_seed(7)
    return run()


def gradients(norm: nn.Module, run: Callable[[Tensor], Tensor]) -> list[Tensor]:
    """Of the input and of every parameter, for the same draws and the same upstream gradient."""
    torch.manual_seed(3)
    x, upstream = torch.randn(2, 16, 8, 8, requires_grad=True), torch.randn(2, 16, 8, 8)
    norm.zero_grad()
    (seeded(lambda: run(x)) * upstream).sum().backward()
    assert x.grad is not None
    return [x.grad, *(p.grad if p.grad is not None else torch.zeros_like(p) for p in norm.parameters())]


def assert_alike(ours: list[Tensor], theirs: list[Tensor]) -> None:
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
@pytest.mark.parametrize(("name", "path"), CASES)
class TestEveryNorm:
    @pytest.mark.parametrize("reentrant", [False, True])
    def test_gradient_checkpointing(self, norm: nn.Module, name: str, reentrant: bool) -> None:
        condition, other = condition_for(name), copy.deepcopy(norm)
        expected = gradients(norm, lambda x: norm(x, condition))
        ours = gradients(other, lambda x: checkpoint(other, x, condition, use_reentrant=reentrant))
        assert_alike(ours, expected)

    def test_compiled(self, norm: nn.Module, name: str) -> None:
        condition, other = condition_for(name), copy.deepcopy(norm)
        torch._dynamo.reset()
        compiled = torch.compile(other, backend="eager", fullgraph=True)
        expected = gradients(norm, lambda x: norm(x, condition))
        assert_alike(gradients(other, lambda x: compiled(x, condition)), expected)

    def test_traced(self, norm: nn.Module, name: str) -> None:
        x, condition = torch.randn(2, 16, 8, 8), condition_for(name)
        inputs = (x,) if condition is None else (x, condition)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            traced = torch.jit.trace(copy.deepcopy(norm), inputs, check_trace=False)
        other = 2 * torch.randn(2, 16, 8, 8)
        expected = seeded(lambda: norm(other, condition))
        torch.testing.assert_close(seeded(lambda: traced(other, *inputs[1:])), expected, rtol=1e-3, atol=1e-4)

    def test_functional_gradients(self, norm: nn.Module, name: str) -> None:
        condition = condition_for(name)
        # What PyTorch asks for of running statistics, which no transformation may change.
        replace_all_batch_norm_modules_(norm)
        parameters = dict(norm.named_parameters())
        upstream = torch.randn(2, 16, 8, 8)
        x = torch.randn(2, 16, 8, 8)

        def loss(values: dict[str, Tensor]) -> Tensor:
            return (functional_call(norm, values, (x, condition)) * upstream).sum()

        ours = seeded(lambda: grad(loss)(parameters))
        if not parameters:
            assert ours == {}
            return
        theirs = seeded(lambda: torch.autograd.grad(loss(parameters), list(parameters.values()), allow_unused=True))
        for one, other in zip(ours.values(), theirs, strict=True):
            torch.testing.assert_close(one, torch.zeros_like(one) if other is None else other, rtol=1e-3, atol=1e-4)

    def test_meta_device(self, norm: nn.Module, name: str) -> None:
        condition = condition_for(name)
        on_meta = norm.to("meta")
        y = on_meta(torch.empty(2, 16, 8, 8, device="meta"), None if condition is None else condition.to("meta"))
        assert y.shape == (2, 16, 8, 8)

    def test_copied_and_stored(self, norm: nn.Module, name: str) -> None:
        x, condition = torch.randn(2, 16, 8, 8), condition_for(name)
        buffer = io.BytesIO()
        torch.save(norm.state_dict(), buffer)
        buffer.seek(0)
        copies = [copy.deepcopy(norm), without_power_iteration(randomized(make(name), seed=5).train(norm.training))]
        copies[1].load_state_dict(torch.load(buffer, weights_only=True))
        expected = seeded(lambda: norm(x, condition))
        for one in copies:
            torch.testing.assert_close(seeded(lambda one=one: one(x, condition)), expected)

    def test_hooks_of_all_parts_fire(self, norm: nn.Module, name: str) -> None:
        parts = dict(norm.named_modules())
        seen: set[str] = set()
        for part_name, part in parts.items():
            part.register_forward_hook(lambda *_, at=part_name: seen.add(f"{at} after"))
            part.register_forward_pre_hook(lambda *_, at=part_name: seen.add(f"{at} before"))
            part.register_full_backward_hook(lambda *_, at=part_name: seen.add(f"{at} backward"))
        x = torch.randn(2, 16, 8, 8, requires_grad=True)
        norm(x, condition_for(name)).square().sum().backward()
        silent = {at for at in parts for when in ("after", "before", "backward") if f"{at} {when}" not in seen}
        # A parametrization is a module that only reading the weight calls; self-sampling rests in evaluation.
        resting = set() if norm.training else {"layout.key", "layout.query"}
        assert {at for at in silent if "parametrizations" not in at} <= resting

    def test_hooks_change_nothing(self, norm: nn.Module, name: str) -> None:
        condition, other = condition_for(name), copy.deepcopy(norm)
        for part in other.modules():
            part.register_forward_hook(lambda *_: None)
        expected = gradients(norm, lambda x: norm(x, condition))
        assert_alike(gradients(other, lambda x: other(x, condition)), expected)


REWEIGHTED: dict[str, Callable[[nn.Module], nn.Module]] = {
    "spectral_norm": nn.utils.spectral_norm,
    "weight_norm": nn.utils.weight_norm,
    "parametrized spectral_norm": parametrizations.spectral_norm,
    "parametrized weight_norm": parametrizations.weight_norm,
    "pruned": lambda module: prune.random_unstructured(module, "weight", 0.5),
    "wrapped": nn.Sequential,
}


@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
@pytest.mark.parametrize("kind", REWEIGHTED)
@pytest.mark.parametrize("part", ["value", "layout.key", "layout.query"])
def test_a_reweighted_part_is_what_is_used(kind: str, part: str, training: bool) -> None:
    """The layer with a part under another weight is the layer that has that weight."""
    torch.manual_seed(0)
    norm = randomized(AttentiveNorm2d(16, num_regions=4)).train(training)
    other, x = copy.deepcopy(norm), torch.randn(2, 16, 8, 8)
    owner = norm.get_submodule(part.rpartition(".")[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        setattr(owner, part.rpartition(".")[2], REWEIGHTED[kind](norm.get_submodule(part)))
    norm.get_submodule(part).eval()  # no further power iteration
    ours = seeded(lambda: norm(x))
    changed = norm.get_submodule(part)
    weight = changed[0].weight if isinstance(changed, nn.Sequential) else changed.weight
    with torch.no_grad():
        other.get_parameter(f"{part}.weight").copy_(weight)
    torch.testing.assert_close(ours, seeded(lambda: other(x)), rtol=1e-4, atol=1e-5)
    ours.sum().backward()
    learned = [p for p in norm.get_submodule(part).parameters() if p.dim() == 4]
    assert not training or all(p.grad is not None for p in learned)


@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
def test_gradients_of_single_samples(training: bool) -> None:
    norm, x = randomized(AttentiveNorm2d(8, num_regions=4)).train(training), torch.randn(3, 8, 6, 6)
    parameters = dict(norm.named_parameters())

    def loss(values: dict[str, Tensor], one: Tensor) -> Tensor:
        return functional_call(norm, values, (one[None],)).square().sum()

    found = vmap(grad(loss), (None, 0), randomness="different")(parameters, x)
    assert all(value.shape == (3, *parameters[name].shape) for name, value in found.items())
    if not training:
        for index in range(3):
            single = grad(loss)(parameters, x[index])
            for name, value in single.items():
                torch.testing.assert_close(found[name][index], value, rtol=1e-3, atol=1e-4)


def test_a_directional_derivative() -> None:
    norm = randomized(AttentiveNorm2d(8, num_regions=4)).double().eval()
    x, direction = (torch.randn(2, 8, 6, 6, dtype=torch.float64) for _ in range(2))
    _, found = jvp(norm, (x,), (direction,))
    step = 1e-6
    torch.testing.assert_close(
        found, (norm(x + step * direction) - norm(x - step * direction)) / (2 * step), atol=1e-6, rtol=1e-5
    )


def test_a_compiled_layer_is_penalized_once() -> None:
    norm = AttentiveNorm2d(8, num_regions=4)
    penalty = total_penalty(nn.Sequential(torch.compile(norm, backend="eager"), nn.ReLU()))  # type: ignore[arg-type]
    assert penalty is not None
    assert penalty.item() == pytest.approx(norm.penalty().item())


@pytest.mark.parametrize("name", NAMES)
def test_whole_numbers_are_refused_in_one_sentence(name: str) -> None:
    with pytest.raises(InputError, match=r"takes floating-point features, got torch.int64"):
        make(name)(torch.ones(2, 16, 8, 8, dtype=torch.int64), condition_for(name))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("argument", "value"), [("eps", 0.0), ("eps", -1.0), ("eps", float("inf")), ("momentum", 1.5), ("momentum", -0.1)]
)
def test_numbers_out_of_range_are_refused_by_every_norm_that_has_them(name: str, argument: str, value: float) -> None:
    if argument not in NORMS.arguments(name):
        assert name in {"none", "self_attention", "linear_attention"} or argument == "momentum"
        return
    kwargs = {"condition_features": 3} if "condition_features" in NORMS.arguments(name) else {}
    with pytest.raises(InputError, match=f"{argument} must be"):
        NORMS.create(name, 16, **{**kwargs, argument: value})

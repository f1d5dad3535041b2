"""A device is compared with float64 on the CPU: what is the same passes, what is not is seen. On a GPU where one is."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lit_an.device_checks.agreement import agreement
from lit_an.device_checks.cases import Case, cases
from lit_an.device_checks.equal_draws import EqualDraws
from lit_an.device_checks.metric_cases import metric_cases
from lit_an.losses import ADVERSARIAL_LOSSES
from lit_an.norms import NORMS

CPU = torch.device("cpu")
ALL = [*cases(), *metric_cases()]
HALVES: dict[str, torch.dtype | None] = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}


def case_named(name: str) -> Case:
    return next(case for case in ALL if case.name == name)


def inputs() -> tuple[Tensor, ...]:
    return (torch.randn(2, 4, 6, 6),)


COMPARED = [
    pytest.param(case, half, id=f"{case.kind}-{case.name}-{name}")
    for case in ALL
    for name, half in HALVES.items()
    if half is None or case.kind in ("norms", "networks")
]


@pytest.mark.gpu
@pytest.mark.parametrize(("case", "half"), COMPARED)
def test_a_gpu_computes_what_the_cpu_computes(case: Case, half: torch.dtype | None) -> None:
    if not case.is_possible():
        pytest.skip(f"needs the package {case.package}")
    found = agreement(case, torch.device("cuda"), half)
    assert found.holds(), found


def test_every_entry_of_the_registries_has_a_case() -> None:
    named = {kind: {case.name for case in ALL if case.kind == kind} for kind in ("norms", "losses", "networks")}
    assert set(NORMS.names()) <= named["norms"]
    assert {f"{name}, {side}" for name in ADVERSARIAL_LOSSES.names() for side in ("generator", "discriminator")} <= (
        named["losses"]
    )
    import lit_an.networks

    assert {name.partition(",")[0] for name in named["networks"]} == set(lit_an.networks.__all__)
    assert len({(case.kind, case.name) for case in ALL}) == len(ALL)


@pytest.mark.parametrize(
    "name",
    ["attentive", "spade", "self_attention", "ada", "wgan_gradient_penalty", "hinge, generator", "ImageRegionScores"],
)
def test_the_cpu_agrees_with_itself(name: str) -> None:
    found = agreement(case_named(name), CPU)
    assert found.holds(), found
    assert found.forward < 1e-5
    has_gradients = case_named(name).kind != "metrics"
    assert (found.backward == found.backward) == has_gradients


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_half_precision_rounds_and_passes(half: torch.dtype) -> None:
    found = agreement(case_named("attentive"), CPU, half)
    assert found.holds(), found
    assert found.forward > 1e-5


FLOAT32_CALLS: list[None] = []


class Scaled(nn.Module):
    """Computes otherwise at its second call in float32, which is the device's; the first is the CPU's own."""

    def __init__(self, forward: float = 0.0, backward: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.wrong_forward, self.wrong_backward = forward, backward

    def forward(self, x: Tensor) -> Any:
        y = x * self.weight
        if x.dtype == torch.float32:
            FLOAT32_CALLS.append(None)
        if len(FLOAT32_CALLS) == 2:
            y = y + self.wrong_forward * y.detach() + self.wrong_backward * (y - y.detach())
        return y


@pytest.mark.parametrize(("wrong", "holds"), [({}, True), ({"forward": 1e-3}, False), ({"backward": 1e-3}, False)])
def test_a_device_that_computes_otherwise_is_seen(wrong: dict[str, float], holds: bool) -> None:
    FLOAT32_CALLS.clear()
    found = agreement(Case("networks", "scaled", partial(Scaled, **wrong), inputs), CPU)
    assert found.holds() == holds, found


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_does_not_pass(value: float) -> None:
    FLOAT32_CALLS.clear()
    found = agreement(Case("networks", "scaled", partial(Scaled, forward=value), inputs), CPU)
    assert not found.holds()


def test_results_that_are_missing_are_no_agreement() -> None:
    class Lost(Scaled):
        def forward(self, x: Tensor) -> Any:
            y = super().forward(x)
            return (y, y) if x.dtype == torch.float64 else (y,)

    with pytest.raises(ValueError, match="zip"):
        agreement(Case("networks", "lost", Lost, inputs), CPU)


DRAWS: dict[str, Any] = {
    "rand": lambda d: torch.rand(5, dtype=d),
    "randn_like": lambda d: torch.randn_like(torch.zeros(5, dtype=d)),
    "uniform_": lambda d: torch.zeros(5, dtype=d).uniform_(-1, 1),
    "normal_": lambda d: torch.zeros(5, dtype=d).normal_(),
    "bernoulli": lambda d: torch.bernoulli(torch.full((9,), 0.3, dtype=d)),
    "multinomial": lambda d: torch.multinomial(torch.arange(1, 9, dtype=d), 3),
    "dropout": lambda d: torch.nn.functional.dropout(torch.ones(9, dtype=d), 0.5),
}


@pytest.mark.parametrize("draw", DRAWS)
def test_draws_are_the_same_in_every_type(draw: str) -> None:
    found = []
    for dtype in (torch.float32, torch.float64):
        torch.manual_seed(3)
        with EqualDraws():
            found.append(DRAWS[draw](dtype))
            found.append(torch.randperm(7))
    assert found[2].dtype in (torch.float64, torch.int64)
    assert torch.equal(found[0].double(), found[2].double())
    assert torch.equal(found[1], found[3])
    assert found[0].double().std() > 0


@pytest.mark.gpu
@pytest.mark.parametrize("draw", DRAWS)
def test_draws_are_the_same_on_a_gpu(draw: str) -> None:
    found = []
    for device in ("cpu", "cuda"):
        torch.manual_seed(3)
        with EqualDraws(), torch.device(device):
            found.append(DRAWS[draw](torch.float32))
    assert found[1].device.type == "cuda"
    assert torch.equal(found[0], found[1].cpu())

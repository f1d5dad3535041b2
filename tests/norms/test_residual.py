"""Every norm in the form that attentive normalization has, so that two of them differ in the norm alone."""

import pytest
import torch

from lit_an.errors import InputError
from lit_an.networks.slots import resolve_long_range
from lit_an.norms import NORMS, AttentiveNorm2d, ResidualNorm2d, norm_factory
from lit_an.norms.registry import condition_kind
from lit_an.norms.residual import is_residual, residual
from tests.norms.test_norm_registry import condition_for, make

OTHERS = [name for name in NORMS.names() if not is_residual(name)]
ADDING = ["attentive", "linear_attention", "self_attention"]


def test_who_adds_to_its_input_by_itself() -> None:
    assert set(NORMS.names()) - set(OTHERS) == set(ADDING)


@pytest.mark.parametrize("name", [*ADDING, "instance", "group"])
def test_the_slot_starts_every_layer_where_the_config_says(name: str) -> None:
    x, outputs = torch.randn(2, 16, 8, 8), []
    for start in (0.0, 0.5, 1):
        torch.manual_seed(0)
        make_layer = resolve_long_range(name, {"residual_start": start})
        assert make_layer is not None
        layer = make_layer(16).eval()
        assert layer.residual_scale.item() == start
        outputs.append(layer(x, None))
    assert torch.equal(outputs[0], x)
    assert (outputs[1] - x).abs().max() > 0.01
    torch.testing.assert_close(outputs[2] - x, 2 * (outputs[1] - x), rtol=1e-3, atol=1e-5)


def test_a_norm_in_the_place_of_its_input_has_no_start(caplog: pytest.LogCaptureFixture) -> None:
    make_layer = resolve_long_range("instance", {"residual_start": 1.0}, form="plain")
    assert make_layer is not None
    assert type(make_layer(8)) is NORMS.get("instance")
    assert "takes no residual_start" in caplog.text


@pytest.mark.parametrize("start", [float("nan"), float("inf"), "one", True])
@pytest.mark.parametrize("name", ["attentive", "instance"])
def test_a_start_that_is_no_number(name: str, start: float) -> None:
    with pytest.raises(InputError, match="residual_start must be"):
        resolve_long_range(name, {"residual_start": start})(8)  # type: ignore[misc]


@pytest.mark.parametrize("name", OTHERS)
def test_the_formula(name: str) -> None:
    norm = residual(lambda channels: make(name, channels).double(), 0.0)(16).double().eval()
    assert isinstance(norm, ResidualNorm2d)
    assert norm.condition_kind == condition_kind(name)
    x, condition = torch.randn(2, 16, 8, 8, dtype=torch.float64), condition_for(name, torch.float64)
    assert torch.equal(norm(x, condition), x), "it begins as the identity"
    with torch.no_grad():
        norm.residual_scale.fill_(0.7)
    weight = norm.value.weight[:, :, 0, 0]
    expected = x + 0.7 * norm.norm(torch.einsum("dc,bchw->bdhw", weight, x), condition)
    torch.testing.assert_close(norm(x, condition), expected)


def test_instance_norm_is_attentive_normalization_with_one_region() -> None:
    """The controlled baseline: same place, same value projection, same ρ."""
    baseline = residual(norm_factory("instance", affine=False), 0.0)(8)
    norm, x = AttentiveNorm2d(8, num_regions=1), torch.randn(2, 8, 6, 6)
    assert isinstance(baseline, ResidualNorm2d)
    with torch.no_grad():
        for one in (norm, baseline):
            one.residual_scale.fill_(0.7)
        baseline.value.weight.copy_(norm.value.weight)
    torch.testing.assert_close(norm(x), baseline(x), rtol=0, atol=1e-5)
    counts = [sum(p.numel() for p in one.parameters()) for one in (norm, baseline)]
    layout = sum(p.numel() for p in norm.layout.parameters())
    assert counts[0] - layout == counts[1]


def test_both_start_alike() -> None:
    torch.manual_seed(0)
    norm = AttentiveNorm2d(64)
    baseline = residual(norm_factory("instance"), 0.0)(64)
    assert isinstance(baseline, ResidualNorm2d)
    assert baseline.value.bias is None
    assert norm.value.weight.std().item() == pytest.approx(baseline.value.weight.std().item(), rel=0.1)

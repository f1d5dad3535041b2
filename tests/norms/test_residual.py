"""Every norm in the form that attentive normalization has, so that two of them differ in the norm alone."""

import pytest
import torch

from lit_an.norms import NORMS, AttentiveNorm2d, ResidualNorm2d, norm_factory
from lit_an.norms.registry import condition_kind
from lit_an.norms.residual import residual
from tests.norms.test_norm_registry import condition_for, make

OTHERS = [name for name in NORMS.names() if not getattr(NORMS.get(name), "is_residual", False)]


def test_who_adds_to_its_input_by_itself() -> None:
    adding = {"attentive", "linear_attention", "self_attention"}
    assert set(NORMS.names()) - set(OTHERS) == adding
    for name in adding:
        assert type(residual(name, norm_factory(name))(8)) is NORMS.get(name)


@pytest.mark.parametrize("name", OTHERS)
def test_the_formula(name: str) -> None:
    norm = residual(name, lambda channels: make(name, channels).double())(16).double().eval()
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
    baseline = residual("instance", norm_factory("instance", affine=False))(8)
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
    baseline = residual("instance", norm_factory("instance"))(64)
    assert isinstance(baseline, ResidualNorm2d)
    assert baseline.value.bias is None
    assert norm.value.weight.std().item() == pytest.approx(baseline.value.weight.std().item(), rel=0.1)

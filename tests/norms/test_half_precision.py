"""Every norm on maps of half precision: the type of the result, and how near it is to that of float64."""

import pytest
import torch

from lit_an.norms import NORMS
from tests.norms.test_norm_registry import condition_for, make
from tests.norms.test_transformations import without_power_iteration
from tests.randomizing import randomized

# Their moments are in float32 or better; the other norms call PyTorch's layers.
OURS = ["attentive", "filter_response", "positional", "region_batch", "region_learned", "switchable"]


@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", NORMS.names())
def test_autocast_stays_close_to_float64(name: str, dtype: torch.dtype, training: bool) -> None:
    norm = without_power_iteration(randomized(make(name, 32)).train(training))
    condition, x = condition_for(name), torch.randn(2, 32, 16, 16).to(dtype)
    torch.manual_seed(3)
    with torch.autocast("cpu", dtype), torch.no_grad():
        half = norm(x, condition)
    assert half.dtype == dtype
    torch.manual_seed(3)
    exact = norm.double()(x.double(), None if condition is None else condition.double())
    assert (half.double() - exact).norm() / exact.norm() < 2e-2


@pytest.mark.parametrize("name", OURS)
def test_a_norm_in_half_precision_throughout(name: str) -> None:
    norm, condition = randomized(make(name)).bfloat16(), condition_for(name, torch.bfloat16)
    x = torch.randn(2, 16, 8, 8).bfloat16().requires_grad_()
    y = norm(x, condition)
    y.sum().backward()
    assert y.dtype == torch.bfloat16
    assert all(p.grad is not None and p.grad.dtype == torch.bfloat16 for p in [x, *norm.parameters()])


@pytest.mark.parametrize("name", ["positional", "switchable"])
def test_a_large_offset_costs_no_precision(name: str) -> None:
    """E x² − μ² would leave noise of the variance."""
    norm, x = make(name), torch.randn(2, 16, 16, 16) + 1e3
    exact = make(name).double()(x.double())
    torch.testing.assert_close(norm(x).double(), exact, rtol=0, atol=1e-3)

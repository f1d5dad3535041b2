"""Parts of the layer that somebody replaced: what is in their place is what computes."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

import lit_an.norms.attentive.functional as AN
from lit_an.norms import AttentiveNorm2d

both_paths = pytest.mark.usefixtures("path")


@both_paths
@pytest.mark.parametrize("part", ["layout", "value"])
def test_a_forward_that_somebody_put_on_a_part_is_used(part: str) -> None:
    norm = AttentiveNorm2d(6, num_regions=4, residual_start=1.0).eval()
    module, x = norm.get_submodule(part), torch.randn(2, 6, 8, 8)
    usual = module.forward
    module.forward = lambda features: usual(features.flip(3))  # type: ignore[method-assign]
    expected = AN.regional_normalize(norm.value(AN.center(x)[0]), norm.layout(x), eps=norm.eps)
    torch.testing.assert_close(norm(x), x + expected, rtol=0, atol=1e-5)


@both_paths
@pytest.mark.parametrize(
    ("part", "make"),
    [
        ("value", lambda: nn.Conv2d(6, 6, 3, padding=1)),
        ("value", lambda: nn.Conv2d(6, 6, 1, groups=3)),
        ("key", lambda: nn.Conv2d(6, 1, 1, bias=False)),
        ("query", lambda: nn.Conv2d(6, 1, 3, padding=1)),
    ],
    ids=["3×3", "groups", "no bias", "3×3 query"],
)
def test_another_convolution_in_the_place_of_a_part_is_called(part: str, make: Callable[[], nn.Module]) -> None:
    norm, x, calls = AttentiveNorm2d(6, num_regions=4, residual_start=1.0), torch.randn(2, 6, 8, 8), []
    convolution = make()
    setattr(norm if part == "value" else norm.layout, part, convolution)
    torch.manual_seed(1)
    found = norm(x)
    convolution.register_forward_hook(lambda *_: calls.append(part))
    torch.manual_seed(1)
    torch.testing.assert_close(found, norm(x), rtol=0, atol=1e-6)
    assert calls

"""Conditional norms against their formula in float64, how they start, and what they refuse."""

import pytest
import torch

from lit_an.errors import InputError
from lit_an.norms import NORMS, ConditionalBatchNorm2d

KINDS = {"conditional_batch": (0, 2, 3), "conditional_instance": (2, 3)}


@pytest.mark.parametrize("name", KINDS)
def test_gain_and_shift_are_linear_in_the_condition(name: str) -> None:
    x, condition = torch.randn(3, 4, 5, 6, dtype=torch.float64), torch.randn(3, 7, dtype=torch.float64)
    norm = NORMS.create(name, 4, condition_features=7).double()
    for layer in (norm.gain, norm.shift):
        torch.nn.init.normal_(layer.weight)
    mean = x.mean(KINDS[name], keepdim=True)
    centered = x - mean
    standard = centered / torch.sqrt((centered**2).mean(KINDS[name], keepdim=True) + 1e-5)
    gain, shift = (torch.einsum("bd,cd->bc", condition, layer.weight) for layer in (norm.gain, norm.shift))
    expected = (1 + gain[:, :, None, None]) * standard + shift[:, :, None, None]
    torch.testing.assert_close(norm(x, condition), expected)


@pytest.mark.parametrize("spectral_norm", [False, True])
@pytest.mark.parametrize("name", KINDS)
def test_gain_and_shift_start_at_zero_or_orthogonal(name: str, spectral_norm: bool) -> None:
    plain = NORMS.create(name, 6, condition_features=4)
    assert not plain.gain.weight.any()
    assert not plain.shift.weight.any()
    norm = NORMS.create(name, 6, condition_features=4, initialization="orthogonal", spectral_norm=spectral_norm)
    for layer in (norm.gain, norm.shift):
        torch.testing.assert_close(layer.weight.T @ layer.weight, torch.eye(4))
    assert not torch.equal(norm.gain.weight, norm.shift.weight)


def test_spectral_norm_divides_gain_and_shift_by_their_largest_singular_value() -> None:
    norm = ConditionalBatchNorm2d(6, condition_features=4, initialization="orthogonal", spectral_norm=True).double()
    for layer in (norm.gain, norm.shift):
        with torch.no_grad():
            layer.parametrizations.weight.original.normal_()
        for _ in range(300):  # power iterations
            weight = layer.weight
        original = layer.parametrizations.weight.original
        torch.testing.assert_close(weight, original / torch.linalg.svdvals(original)[0], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    ("kwargs", "sentence"),
    [
        ({"initialization": "ones"}, "initialization must be 'zeros' or 'orthogonal', got 'ones'"),
        ({"spectral_norm": True}, "spectral_norm divides by a singular value, which zeros do not have"),
        ({"condition_features": 0}, "needs the width of its condition"),
    ],
)
def test_bad_arguments_get_one_sentence(kwargs: dict[str, object], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        ConditionalBatchNorm2d(**{"num_features": 4, "condition_features": 3, **kwargs})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["conditional_batch", "conditional_instance"])
def test_a_condition_of_any_type_is_taken(name: str) -> None:
    norm = NORMS.create(name, 4, condition_features=3, initialization="orthogonal").bfloat16()
    x, one_hot = torch.randn(2, 4, 6, 6).bfloat16(), torch.eye(3)[:2]
    expected = norm(x, one_hot.bfloat16())
    for kind in (torch.float32, torch.int64, torch.bool):
        assert torch.equal(norm(x, one_hot.to(kind)), expected)

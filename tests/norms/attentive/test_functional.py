"""The maths of attentive normalization against literal loops in float64."""

import math

import pytest
import torch
from torch import Tensor

import lit_an.norms.attentive.functional as AN
from lit_an.errors import InputError
from tests.norms.oracles import oracle_layout, oracle_normalize, random_layout


@pytest.mark.parametrize("moments", ["soft", "masked"])
@pytest.mark.parametrize("affine", [False, True])
def test_regional_normalize_equals_the_loop(moments: str, affine: bool) -> None:
    x = torch.randn(2, 5, 4, 6, dtype=torch.float64) + 3
    layout = random_layout(2, 3, 4, 6)
    weight, bias = (torch.randn(3, 5).double(), torch.randn(3, 5).double()) if affine else (None, None)
    expected = oracle_normalize(x, layout, weight, bias, moments, 1e-5)
    actual = AN.regional_normalize(x, layout, weight, bias, moments, 1e-5)  # type: ignore[arg-type]
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("moments", ["soft", "masked"])
def test_regional_normalize_has_the_right_gradients(moments: str) -> None:
    x = torch.randn(1, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    layout = random_layout(1, 2, 3, 3).requires_grad_()
    weight = torch.randn(2, 2, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(2, 2, dtype=torch.float64, requires_grad=True)

    def normalize(*inputs: Tensor) -> Tensor:
        return AN.regional_normalize(*inputs, moments=moments)  # type: ignore[arg-type]

    assert torch.autograd.gradcheck(normalize, (x, layout, weight, bias))
    assert torch.autograd.gradgradcheck(normalize, (x, layout, weight, bias))


def test_semantic_layout_equals_the_loop() -> None:
    x = torch.randn(2, 5, 4, 3, dtype=torch.float64) + 2
    filters, constants = torch.randn(2, 3, 5).double(), torch.randn(2, 3).double()
    actual = AN.semantic_layout(*AN.center(x), filters, constants, 0.7)
    torch.testing.assert_close(actual, oracle_layout(x, filters, constants, 0.7), rtol=0, atol=1e-12)


def test_semantic_layout_has_the_right_gradients() -> None:
    x = torch.randn(1, 3, 2, 3, dtype=torch.float64, requires_grad=True)
    filters = torch.randn(1, 2, 3, dtype=torch.float64, requires_grad=True)
    constants = torch.randn(1, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda *a: AN.semantic_layout(*AN.center(a[0]), a[1], a[2], 0.5), (x, filters, constants)
    )


def test_sampled_filters_make_the_same_map_as_keys_and_queries() -> None:
    """F_i(j) = k_iᵀ (W_q x_j + b_q), formed the long way."""
    x = torch.randn(2, 4, 9, dtype=torch.float64)
    keys, query_weight, query_bias = torch.randn(2, 3, 2).double(), torch.randn(2, 4).double(), torch.randn(2).double()
    queries = query_weight @ x + query_bias[:, None]  # (B, K, L)
    filters, constants = AN.sampled_filters(keys, query_weight, query_bias)
    torch.testing.assert_close(filters @ x + constants[:, :, None], keys @ queries, rtol=0, atol=1e-12)


def keys_of_windows(x: Tensor, windows: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    index = windows.flatten(1)[:, None].expand(-1, x.shape[1], -1)
    return AN.salient_keys(x.flatten(2).gather(2, index).unflatten(2, windows.shape[1:]), weight, bias)


def test_salient_keys_are_pooled_keys_of_distinct_positions() -> None:
    x = torch.randn(2, 4, 6, 8, dtype=torch.float64)
    weight, bias = torch.randn(3, 4).double(), torch.randn(3).double()
    key_map = torch.nn.functional.conv2d(x, weight[:, :, None, None], bias)
    pooled = torch.nn.functional.max_pool2d(key_map, 2).flatten(2)  # (B, K, 12)
    windows = AN.salient_windows(2, 6, 8, 12, "cpu")  # all twelve, in random order
    assert sorted(windows[0].flatten().tolist()) == list(range(48))
    keys = keys_of_windows(x, windows, weight, bias)
    for b in range(2):
        expected = sorted(pooled[b].t().tolist())
        torch.testing.assert_close(torch.tensor(sorted(keys[b].tolist())), torch.tensor(expected))


def test_single_positions_are_windows_where_the_pooled_map_is_too_small() -> None:
    windows = AN.salient_windows(1, 3, 3, 9, "cpu")
    assert sorted(windows.flatten().tolist()) == list(range(9))
    x = torch.randn(1, 4, 3, 3, dtype=torch.float64)
    weight, bias = torch.randn(2, 4).double(), torch.randn(2).double()
    key_map = torch.nn.functional.conv2d(x, weight[:, :, None, None], bias).flatten(2)
    keys = keys_of_windows(x, windows, weight, bias)
    torch.testing.assert_close(torch.tensor(sorted(keys[0].tolist())), torch.tensor(sorted(key_map[0].t().tolist())))


def test_sampling_is_uniform_and_per_image() -> None:
    positions = AN.sample_positions(4000, 10, 3)
    assert all(len(set(row)) == 3 for row in positions.tolist())
    share = torch.bincount(positions.flatten(), minlength=10) / 4000
    # Each position is drawn with probability 0.3; five standard deviations.
    assert (share - 0.3).abs().max() < 5 * math.sqrt(0.3 * 0.7 / 4000)
    assert len({tuple(sorted(row)) for row in positions.tolist()}) > 100


def test_too_many_positions_are_refused_in_one_sentence() -> None:
    with pytest.raises(InputError, match="cannot sample 10 distinct positions from 9"):
        AN.sample_positions(1, 9, 10)
    with pytest.raises(InputError, match=r"num_regions=17 needs .* the feature map has 4x4 = 16"):
        AN.salient_windows(1, 4, 4, 17, "cpu")


@pytest.mark.parametrize("moments", ["soft", "masked"])
def test_one_region_is_instance_normalization(moments: str) -> None:
    x = torch.randn(2, 3, 8, 8)
    normalized = AN.regional_normalize(x, torch.ones(2, 1, 8, 8), moments=moments)  # type: ignore[arg-type]
    torch.testing.assert_close(normalized, torch.nn.functional.instance_norm(x), rtol=0, atol=1e-5)


def test_permuting_the_regions_changes_nothing() -> None:
    x, layout = torch.randn(2, 3, 8, 8).double(), random_layout(2, 5, 8, 8)
    order = torch.randperm(5)
    torch.testing.assert_close(AN.regional_normalize(x, layout), AN.regional_normalize(x, layout[:, order]))


def test_a_constant_per_channel_changes_nothing() -> None:
    x, layout = torch.randn(2, 3, 8, 8).double(), random_layout(2, 5, 8, 8)
    shifted = x + 1e3 * torch.randn(1, 3, 1, 1).double()
    torch.testing.assert_close(AN.regional_normalize(shifted, layout), AN.regional_normalize(x, layout))


@pytest.mark.parametrize("moments", ["soft", "masked"])
def test_an_empty_region_gives_finite_values_and_gradients(moments: str) -> None:
    x = torch.randn(1, 3, 4, 4, requires_grad=True)
    logits = torch.zeros(1, 3, 4, 4)
    logits[:, 0] = -200  # exp(-200) is 0 in float32
    layout = logits.requires_grad_().softmax(1)
    AN.regional_normalize(x, layout, moments=moments).square().sum().backward()  # type: ignore[arg-type]
    assert torch.isfinite(x.grad).all()  # type: ignore[arg-type]
    assert torch.isfinite(logits.grad).all()  # type: ignore[arg-type]


def test_constant_channels_give_zeros_and_finite_gradients() -> None:
    x = torch.full((1, 2, 4, 4), 5.0, requires_grad=True)
    normalized = AN.regional_normalize(x, random_layout(1, 3, 4, 4).float())
    normalized.sum().backward()
    assert normalized.abs().max() < 1e-3
    assert torch.isfinite(x.grad).all()  # type: ignore[arg-type]


def test_half_precision_accumulates_in_float32() -> None:
    x, layout = torch.randn(1, 4, 32, 32), random_layout(1, 3, 32, 32).float()
    exact = AN.regional_normalize(x.bfloat16().double(), layout.double())
    half = AN.regional_normalize(x.bfloat16(), layout)
    assert half.dtype == torch.bfloat16
    # Half a unit in the last of bfloat16's 8 bits, at values up to about 4.
    assert (half.double() - exact).abs().max() < 4 / 256


def test_wrong_shapes_and_moments_are_refused_in_one_sentence() -> None:
    x = torch.randn(2, 3, 8, 8)
    with pytest.raises(InputError, match=r"must be \(B, N, H, W\) = \(2, N, 8, 8\), got \(2, 4, 4, 4\)"):
        AN.regional_normalize(x, torch.ones(2, 4, 4, 4))
    with pytest.raises(InputError, match="moments must be 'soft' or 'masked', got 'hard'"):
        AN.regional_normalize(x, torch.ones(2, 1, 8, 8), moments="hard")  # type: ignore[arg-type]

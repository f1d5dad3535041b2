"""Counts of operations against formulas, and the memory in use against sums by hand."""

import gc
from typing import Any

import pytest
import torch
from torch import nn

from lit_an.norms import AttentiveNorm2d
from lit_an.training_costs.recording import Operation, Recording
from lit_an.training_costs.valueless import as_on_a_device


def flops(record: Recording) -> int:
    return sum(operation.flops * count for operation, count in record.operations.items())


def traffic(record: Recording) -> int:
    return sum(operation.traffic * count for operation, count in record.operations.items())


@pytest.fixture(autouse=True)
def _on_meta() -> Any:
    with torch.device("meta"):
        yield


def test_a_convolution_counts_three_times_forward_and_backward() -> None:
    layer, x = nn.Conv2d(3, 5, 3, padding=1), torch.randn(2, 3, 8, 8, requires_grad=True)
    with Recording() as record:
        layer(x).sum().backward()
    assert flops(record) == 3 * 2 * 2 * 64 * 3 * 5 * 9


def test_attentive_normalization_counts_as_its_products() -> None:
    """Forward: the joint projection, two sums of the moments and the spread back; backward: six products more."""
    channels, regions, side, batch = 16, 4, 8, 3
    norm = AttentiveNorm2d(channels, num_regions=regions, self_sampling=False)
    x = torch.randn(batch, channels, side, side, requires_grad=True)
    joint = (channels + regions) * (channels + 1)
    with Recording() as forward:
        y = norm(x)
    base = 2 * batch * regions * channels  # what the mean of the input adds to the logits
    assert flops(forward) - base == 2 * batch * side**2 * (joint + 4 * channels * regions)
    with Recording() as backward:
        y.sum().backward()
    products = joint + 2 * channels * regions  # values and layout once more, gradients of the affine maps
    products += 4 * channels * regions + 3 * channels * regions  # gradients of layout and values
    products += joint + channels * (channels + regions)  # of the weights and of the input
    assert flops(backward) - base == 2 * batch * side**2 * products


def test_traffic_is_inputs_and_outputs_and_views_have_none() -> None:
    x, row = torch.randn(10, 20), torch.randn(20)
    with Recording() as record:
        y = x.t().contiguous().view(200)
    assert (traffic(record), sum(record.operations.values())) == (2 * 4 * 200, 1), "the copy of the transposed map"
    with Recording() as record:
        y = x + row
        y.relu_()
        row.expand(10, 20).neg()
    assert traffic(record) == 4 * ((200 + 20 + 200) + 2 * 200 + (20 + 200))
    assert set(record.operations) == {Operation(0, 4 * each, torch.float32) for each in (420, 400, 220)}


def test_a_linear_network_has_the_peak_of_a_sum_by_hand() -> None:
    layers = nn.Sequential(nn.Linear(4, 6), nn.Sigmoid(), nn.Linear(6, 2), nn.Sigmoid())
    batch = 5
    with Recording() as record:
        x = torch.randn(batch, 4)
        y = layers(x)
        # The input, and either sigmoid's result, which the next layer shares; each linear result is gone.
        assert record.live == 4 * batch * (4 + 6 + 2)
        # While the first sigmoid is computed.
        assert record.peak == 4 * batch * (4 + 6 + 6)
        y.sum().backward()
        del y
    gc.collect()
    assert record.live == 4 * (batch * 4 + sum(parameter.numel() for parameter in layers.parameters()))


def test_memory_lives_as_long_as_its_last_view() -> None:
    with Recording() as record:
        x = torch.zeros(100)
        view = x[:10].view(5, 2)
        del x
        assert (record.live, record.peak) == (400, 400)
        del view
        assert record.live == 0
        weight = torch.zeros(7, requires_grad=True)
        doubled = 2 * weight.exp()
        assert record.live == 3 * 4 * 7, "autograd alone holds the exponential"
        doubled.sum().backward()
        del doubled
        assert record.live == 2 * 4 * 7, "the weight and its gradient"
    record.need(1000)
    assert record.peak == record.live + 1000


def test_what_was_made_outside_is_named_apart() -> None:
    x, weight = torch.zeros(10, 10), torch.zeros(10, 10)
    with Recording() as record:
        y = x @ weight
        y.add_(x)
    assert sorted(record.outside.values()) == [400, 400]
    assert record.live == record.peak == 400


def test_other_devices_are_not_counted() -> None:
    with Recording() as record:
        torch.zeros(3, device="cpu") + 1
    assert (record.live, sum(record.operations.values())) == (0, 0)


def test_repeats_multiply_operations_and_not_memory() -> None:
    x = torch.zeros(10, 10)
    with Recording() as record:
        record.repeats = 5
        y = x @ x
    assert (flops(record), record.live) == (5 * 2000, y.nbytes)


def test_mixed_precision_has_products_in_half_and_what_needs_it_in_single() -> None:
    layer, x = nn.Conv2d(3, 4, 3), torch.randn(2, 3, 8, 8)
    norm = AttentiveNorm2d(4, num_regions=2)
    with as_on_a_device("bf16-mixed"), Recording() as record:
        y = layer(x)
        assert y.dtype == torch.bfloat16
        assert (y @ y.mT).dtype == torch.bfloat16
        assert y.softmax(1).dtype == torch.float32
        assert norm(y).dtype == torch.bfloat16
    types = {operation.dtype for operation in record.operations if operation.flops}
    assert types == {torch.bfloat16, torch.float32}, "attentive normalization computes in float32"
    with as_on_a_device("32-true"):
        assert layer(x).dtype == torch.float32


def test_attention_keeps_no_weights_but_where_it_is_differentiated_twice() -> None:
    """All pairs of positions only where PyTorch's plain attention has to be taken."""
    query = torch.randn(2, 1, 256, 8, requires_grad=True)
    pairs = 4 * 2 * 256 * 256
    with as_on_a_device("32-true"), Recording() as record:
        nn.functional.scaled_dot_product_attention(query, query, query)
    assert record.peak < pairs
    with (
        as_on_a_device("32-true"),
        torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH),
        Recording() as record,
    ):
        nn.functional.scaled_dot_product_attention(query, query, query)
    assert record.peak > pairs

"""Data sheets and the roofline."""

from collections import Counter

import pytest
import torch

from lit_an.training_costs.devices import (
    DEVICES,
    EFFICIENCY,
    LAUNCH,
    Device,
    device_named,
    expected_seconds,
    seconds_at_best,
    seconds_of_arithmetic,
)
from lit_an.training_costs.recording import Operation

ROUND = Device("round", ("Round 1",), 10**9, *(4e12, 2e12, 1e12, 1e9), "none")
PRODUCT = Operation(4 * 10**12, 10**6, torch.bfloat16)  # 1 s of arithmetic, 1 ms of memory
SINGLE = Operation(4 * 10**12, 10**6, torch.float32)  # 4 s, with TF32 2 s
SUM = Operation(0, 3 * 10**9, torch.float32)  # 3 s of memory


@pytest.mark.parametrize("device", DEVICES, ids=lambda device: device.name)
def test_a_device_has_the_figures_of_a_data_sheet(device: Device) -> None:
    assert device.half >= 1.9 * device.tf32 >= 1.9 * device.single
    assert 8e9 < device.memory < 1e12
    assert 3e11 < device.bandwidth < 1e13
    assert device.source.startswith("NVIDIA")
    assert all(device_named(name) is device for name in device.names)


def test_each_operation_takes_the_longer_of_its_two_times() -> None:
    assert seconds_at_best(Counter({PRODUCT: 2, SUM: 1}), ROUND, tf32=False) == pytest.approx(2 * 1 + 3)
    assert seconds_at_best(Counter({SINGLE: 1}), ROUND, tf32=False) == pytest.approx(4)
    assert seconds_at_best(Counter({SINGLE: 1}), ROUND, tf32=True) == pytest.approx(2)
    assert seconds_of_arithmetic(Counter({PRODUCT: 2, SUM: 1}), ROUND, tf32=False) == pytest.approx(2)


def test_what_is_expected_is_the_assumed_share_and_no_less_than_the_launches() -> None:
    assert expected_seconds(Counter({SUM: 1}), ROUND, tf32=False) == pytest.approx(3 / EFFICIENCY)
    small = Operation(0, 8, torch.float32)
    assert expected_seconds(Counter({small: 1000}), ROUND, tf32=False) == pytest.approx(1000 * LAUNCH)

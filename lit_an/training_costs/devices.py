"""Accelerators that people have: memory, rates of arithmetic and of memory, and what a training takes at best."""

from collections import Counter
from typing import NamedTuple

import torch

from lit_an.training_costs.recording import Operation

# Share of its bounds (``seconds_at_best``) that a training is assumed to reach: no measurement, an assumption.
EFFICIENCY = 0.5
# Seconds that the host is assumed to need for one operation, autograd included; CUDA graphs and compilers need less.
LAUNCH = 5e-6
# Share of a device's memory that an estimate may fill; libraries, workspaces and gaps between blocks have the rest.
USABLE = 0.8


class Device(NamedTuple):
    """A data sheet's figures of one device.

    Attributes:
        name: of the product.
        names: what ``torch.cuda.get_device_name`` calls it.
        memory: bytes.
        half, tf32, single: FLOP/s of dense products in bfloat16 or float16 with sums in float32, in TF32, in float32.
        bandwidth: of its memory, bytes/s.
        source: the document.
    """

    name: str
    names: tuple[str, ...]
    memory: int
    half: float
    tf32: float
    single: float
    bandwidth: float
    source: str

    def rate(self, dtype: torch.dtype, tf32: bool) -> float:
        """FLOP/s of products of a type; ``tf32``: float32 products may round their factors to TF32."""
        if dtype in (torch.bfloat16, torch.float16):
            return self.half
        return self.tf32 if tf32 else self.single


# NVIDIA's documents give twice the rates of products for sparse factors; these are the dense ones.
DEVICES = (
    Device(
        "RTX 3090",
        ("NVIDIA GeForce RTX 3090",),
        int(24e9),
        *(71e12, 35.6e12, 35.6e12, 936e9),
        "NVIDIA Ampere GA102 GPU Architecture, whitepaper",
    ),
    Device(
        "RTX 4090",
        ("NVIDIA GeForce RTX 4090",),
        int(24e9),
        *(165.2e12, 82.6e12, 82.6e12, 1008e9),
        "NVIDIA Ada GPU Architecture, whitepaper",
    ),
    Device(
        "A100 80 GB SXM",
        ("NVIDIA A100-SXM4-80GB",),
        int(80e9),
        *(312e12, 156e12, 19.5e12, 2039e9),
        "NVIDIA A100 Tensor Core GPU, data sheet",
    ),
    Device(
        "H100 SXM",
        ("NVIDIA H100 80GB HBM3",),
        int(80e9),
        *(989.5e12, 494.5e12, 67e12, 3350e9),
        "NVIDIA H100 Tensor Core GPU, data sheet",
    ),
    Device(
        "H200 SXM",
        ("NVIDIA H200",),
        int(141e9),
        *(989.5e12, 494.5e12, 67e12, 4800e9),
        "NVIDIA H200 Tensor Core GPU, data sheet",
    ),
)


def device_named(name: str) -> Device | None:
    """The device that ``torch.cuda.get_device_name`` calls so, or None if its figures are not known here.

    Example:
        >>> device_named("NVIDIA H200").memory, device_named("Another GPU")
        (141000000000, None)
    """
    return next((device for device in DEVICES if name in device.names), None)


def seconds_at_best(operations: Counter[Operation], device: Device, tf32: bool) -> float:
    """A lower bound of the time of operations that run one after the other, each from and to memory.

    Each takes at least its FLOPs at the device's rate for its type, and at least its bytes at the device's bandwidth:
    the roofline model. Operations that a compiler joins, or whose tensors stay in a cache, may take less.

    Args:
        operations: how often each takes place.
        device: what they run on.
        tf32: whether float32 products may round their factors to TF32.

    Source: Williams, Waterman, Patterson, "Roofline: an insightful visual performance model for multicore
        architectures", Communications of the ACM 52 (4), 2009.
    """
    return sum(max(_times(each, device, tf32)) * count for each, count in operations.items())


def seconds_of_arithmetic(operations: Counter[Operation], device: Device, tf32: bool) -> float:
    """The part of ``seconds_at_best`` of the operations whose arithmetic takes longer than their memory traffic."""
    total = 0.0
    for each, count in operations.items():
        of_arithmetic, of_memory = _times(each, device, tf32)
        total += count * of_arithmetic if of_arithmetic >= of_memory else 0.0
    return total


def expected_seconds(operations: Counter[Operation], device: Device, tf32: bool) -> float:
    """``seconds_at_best`` at the assumed ``EFFICIENCY``, and no less than the host needs to start the operations."""
    by_host = LAUNCH * sum(operations.values())
    return max(seconds_at_best(operations, device, tf32) / EFFICIENCY, by_host)


def _times(operation: Operation, device: Device, tf32: bool) -> tuple[float, float]:
    return operation.flops / device.rate(operation.dtype, tf32), operation.traffic / device.bandwidth

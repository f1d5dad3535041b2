"""What a training costs: memory, arithmetic and time, counted without values on the meta device.

How to add a device: a ``Device`` in ``DEVICES`` of ``devices.py`` with the figures of its data sheet and the name of
that document; ``tests/training_costs/test_devices.py`` asks every one.
"""

from lit_an.training_costs.devices import DEVICES, EFFICIENCY, Device, device_named, seconds_at_best
from lit_an.training_costs.estimate import Setting, TrainingCosts, estimate
from lit_an.training_costs.iteration import IterationCounts, count_iteration
from lit_an.training_costs.recording import Operation, Recording

__all__ = [
    "DEVICES",
    "EFFICIENCY",
    "Device",
    "IterationCounts",
    "Operation",
    "Recording",
    "Setting",
    "TrainingCosts",
    "count_iteration",
    "device_named",
    "estimate",
    "seconds_at_best",
]

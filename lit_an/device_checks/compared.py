"""The parts that compare a device with the CPU, case by case."""

from collections.abc import Iterable, Iterator

import torch

from lit_an.device_checks.agreement import agreement
from lit_an.device_checks.cases import Case, cases
from lit_an.device_checks.metric_cases import metric_cases
from lit_an.device_checks.rows import Row, Setting, error_in_words

_TYPES = {None: "float32", torch.bfloat16: "bfloat16", torch.float16: "float16"}
# Losses, augmentations and metrics compute in float32 whatever they get.
_IN_HALF = ("norms", "networks")


def norms(setting: Setting) -> Iterator[Row]:
    """Every registered norm, and AN over shapes that its kernels' tiles do not divide."""
    yield from _compared("norms", cases(), setting)


def networks(setting: Setting) -> Iterator[Row]:
    """Every network of both tasks."""
    yield from _compared("networks", cases(), setting)


def losses(setting: Setting) -> Iterator[Row]:
    """Every loss, penalties with their second derivatives."""
    yield from _compared("losses", cases(), setting)


def augmentations(setting: Setting) -> Iterator[Row]:
    """Every registered augmentation, with the same draws."""
    yield from _compared("augmentations", cases(), setting)


def metrics(setting: Setting) -> Iterator[Row]:
    """Every metric that computes on tensors, without networks of its own."""
    yield from _compared("metrics", metric_cases(), setting)


def _compared(kind: str, found: Iterable[Case], setting: Setting) -> Iterator[Row]:
    for case in found:
        if case.kind != kind:
            continue
        if not case.is_possible():
            yield Row(case.name, "not run", note=f"needs the package {case.package}")
            continue
        for half in _TYPES if kind in _IN_HALF else (None,):
            yield _row(case, setting.torch_device, half)


def _row(case: Case, device: torch.device, half: torch.dtype | None) -> Row:
    subject = f"{case.name}, {_TYPES[half]}" if case.kind in _IN_HALF else case.name
    try:
        found = agreement(case, device, half)
    except Exception as error:  # whatever it is, the other cases are compared
        return Row(subject, "failed", note=error_in_words(error))
    figures: dict[str, float | str] = {"forward": found.forward, "its limit": found.forward_limit}
    if found.backward == found.backward:
        figures |= {"backward": found.backward, "limit of that": found.backward_limit}
    return Row(subject, "ok" if found.holds() else "differs", figures)

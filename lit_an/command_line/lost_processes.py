"""PyTorch's errors that mean that another process of the run is gone, in a few words."""

import re
import traceback

import torch.distributed


class LostProcessError(Exception):
    """Another process of the run has ended, or gives no signs of life."""


_KINDS = tuple(
    getattr(torch.distributed, name) for name in ("DistError", "DistBackendError") if hasattr(torch.distributed, name)
)
_OF_GLOO = re.compile(
    r"gloo|Connection (closed|reset) by peer|Timed out waiting|Broken pipe|ProcessGroup\w*|TCPStore|"
    r"Application timeout caused pair closure|Socket (Timeout|closed)|collective",
)
_LONGEST = 160  # characters of a reason


def what_was_lost(error: BaseException) -> str | None:
    """What failed and why, in a few words; None for an error that does not come from the loss of a process.

    Example:
        >>> what_was_lost(RuntimeError("[/gloo/transport/tcp/pair.cc:534] Connection closed by peer [10.0.0.1]:5"))
        'the connection to another process failed (Connection closed by peer [10.0.0.1]:5)'
        >>> what_was_lost(RuntimeError("mat1 and mat2 shapes cannot be multiplied")) is None
        True
    """
    if isinstance(error, LostProcessError):
        return str(error)
    if not isinstance(error, _KINDS) and not (type(error) is RuntimeError and _OF_GLOO.search(str(error))):
        return None
    said = (str(error).strip().splitlines() or [type(error).__name__])[0]
    said = re.sub(r"^\[\S*\] ", "", said).split(". ")[0]  # without the place in PyTorch's source, and advice
    said = said if len(said) <= _LONGEST else f"{said[:_LONGEST]}…"
    place = _place(error)
    return f"{'the connection to another process' if place is None else place} failed ({said})"


def _place(error: BaseException) -> str | None:
    """The function of ``torch.distributed`` that failed, or the backward pass."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = frame.filename.replace("\\", "/")
        if "/torch/distributed/" in path and frame.name != "wrapper":
            return frame.name
        if path.endswith("/torch/autograd/graph.py"):
            return "the backward pass"
    return None

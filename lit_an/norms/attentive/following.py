"""Whether somebody follows every operation, so that a function with a backward of its own would hide too much."""

import torch


def is_followed() -> bool:
    """A compiler, a tracer or a transformation of ``torch.func`` is at work: it needs the plain composition."""
    return torch.compiler.is_compiling() or torch.jit.is_tracing() or torch._C._are_functorch_transforms_active()

"""Fake tensors of a CUDA device that is not there, and what would make a program wait for it."""

import traceback
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._pytree import tree_leaves, tree_map

ROOT = Path(__file__).parent.parent.parent
CUDA = torch.device("cuda:0")
_COPIES = (torch.ops.aten._to_copy, torch.ops.aten.copy_)


class FakeDevice(FakeTensorMode):
    """Tensors of a real CPU and of a CUDA device without values.

    Operations of tensors on both devices raise ``FakeTensorDeviceMismatchError``, those that read a value or whose
    size depends on values ``DataDependentOutputException`` and ``DynamicOutputShapeException``; copies are noted.

    Attributes:
        copies: those from one to the other, since ``forget``, each with the places of the project that it comes from.
    """

    def __init__(self) -> None:
        super().__init__(allow_non_fake_inputs=True)
        self.copies: list[str] = []

    def forget(self) -> None:
        self.copies.clear()

    def dispatch(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """As any operation; a copy of a real tensor is one of a fake one, and known values are forgotten on the way."""
        if func.overloadpacket not in _COPIES:
            return super().dispatch(func, types, args, kwargs)
        args = tree_map(self._forgetful, args)
        result = super().dispatch(func, types, args, kwargs)
        sources = {leaf.device.type for leaf in tree_leaves(args) if isinstance(leaf, Tensor)} | {result.device.type}
        if len(sources) > 1:
            self.copies.append(f"to the {result.device.type} by {places(traceback.extract_stack())}")
        return result

    def _forgetful(self, value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        with self:
            fake = value if isinstance(value, FakeTensor) else self.from_tensor(value)
        fake.constant = None
        return fake


@contextmanager
def fake_device() -> Iterator[FakeDevice]:
    """The mode, not entered. Around it, autocast believes in a GPU, and operators do not ask for its kernels."""
    mode = FakeDevice()
    with ExitStack() as stack:
        for name, answer in {"is_available": True, "is_bf16_supported": True, "get_rng_state_all": []}.items():
            stack.enter_context(patch.object(torch.cuda, name, return_value=answer))
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        stack.enter_context(torch.backends.cudnn.flags(enabled=False))
        yield mode


def places(frames: Iterable[traceback.FrameSummary]) -> str:
    """Those of the project, the innermost first."""
    ours = [frame for frame in frames if frame.filename.startswith((str(ROOT / "lit_an"), str(ROOT / "callbacks")))]
    return ", ".join(f"{Path(each.filename).relative_to(ROOT)}:{each.lineno}" for each in reversed(ours))


def on_device(value: Any) -> Any:
    """Tensors, or a module, on the fake device; to be called in the mode."""
    if isinstance(value, nn.Module):
        return value.to(CUDA)
    return tree_map(lambda leaf: leaf.to(CUDA) if isinstance(leaf, Tensor) else leaf, value)

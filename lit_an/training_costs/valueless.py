"""Tasks and batches without numbers: tensors of the meta device that stand for those of another one."""

import copy
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from lit_an.batch import ClassBatch, InpaintingBatch

# Types of arithmetic by the name of Lightning's precision; all keep the weights in float32.
MIXED: dict[str, torch.dtype] = {
    "bf16-mixed": torch.bfloat16,
    "bf16": torch.bfloat16,
    "16-mixed": torch.float16,
    "16": torch.float16,
}


def without_values(task: nn.Module) -> Any:
    """A copy of a task on the meta device, which takes no memory; frozen networks are there too.

    Args:
        task: an ``AdversarialTask``, on any device.

    Raises:
        InputError: the weights of a frozen backbone are missing.
    """
    memo: dict[int, Any] = {}
    for tensor in (*task.parameters(), *task.buffers()):
        size, stride = tensor.size(), tensor.stride()
        empty = torch.empty_strided(size, stride, dtype=tensor.dtype, device="meta")
        memo[id(tensor)] = nn.Parameter(empty, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else empty
    for value in vars(task).values():
        if _makes_something(value):  # those of a command line know all that it has built
            memo[id(value)] = value
    copied: Any = copy.deepcopy(task, memo)
    # What pickles leave out; neither is in the task's parameters.
    for load in (getattr(copied.discriminator, "load_backbone", None), _loading_of_losses(copied)):
        if load is not None:
            load()
    return copied


def _makes_something(value: Any) -> bool:
    """Whether an attribute is a function, such as the ones that make optimizers, or a tuple of them."""
    parts = value if isinstance(value, tuple) else (value,)
    return any(map(callable, parts)) and not any(isinstance(part, nn.Module) for part in parts)


def batch_like(task: Any, images: int, image_size: int) -> Any:
    """A training batch of a task on the meta device: with labels if the task has classes, else with holes."""
    with torch.device("meta"):
        image = torch.empty(images, 3, image_size, image_size)
        if hasattr(task, "num_classes"):
            return ClassBatch(image, torch.empty(images, dtype=torch.int64))
        return InpaintingBatch(image, torch.empty(images, 1, image_size, image_size))


@contextmanager
def as_on_a_device(precision: str) -> Iterator[None]:
    """In the block tensors of the meta device are computed as an accelerator or a CPU would.

    The meta device has no autocast and no attention that keeps its weights to itself: products get the type of
    ``precision`` here, and attention is the one in little memory, except where a gradient is differentiated again.

    Args:
        precision: Lightning's name of it; anything but ``MIXED`` computes in the tensors' own type.
    """
    with ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng(devices=[]))
        if precision in MIXED:
            stack.enter_context(torch.autocast("cpu", MIXED[precision]))
        stack.enter_context(_AsOnADevice(MIXED.get(precision)))
        yield


class _AsOnADevice(TorchFunctionMode):
    """Autocast's rules for CUDA, as far as networks here meet them, and attention in little memory."""

    def __init__(self, dtype: torch.dtype | None) -> None:
        super().__init__()
        self.dtype = dtype

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        # ``lit_an.tensors.precision.without_autocast`` switches this off.
        if self.dtype is not None and torch.is_autocast_enabled("cpu"):
            if function in _IN_HALF:
                args, kwargs = _cast((args, kwargs), torch.float32, self.dtype)
            elif function in _IN_SINGLE or (
                function in _IN_THE_WIDEST and any(getattr(each, "dtype", None) == torch.float32 for each in args)
            ):
                args, kwargs = _cast((args, kwargs), self.dtype, torch.float32)
        if function is F.scaled_dot_product_attention and torch.backends.cuda.mem_efficient_sdp_enabled():
            query, key, value = args[:3]
            if query.is_meta and len(args) == 3 and not kwargs:
                return torch.ops.aten._scaled_dot_product_efficient_attention(query, key, value, None, True)[0]
        return function(*args, **kwargs)


# PyTorch's notes on automatic mixed precision, "Autocast Op Reference", CUDA.
_IN_HALF = {
    *(F.conv1d, F.conv2d, F.conv3d, F.conv_transpose2d, F.linear, F.scaled_dot_product_attention, torch.einsum),
    *(torch.matmul, torch.bmm, torch.mm, torch.mv, torch.addmm, torch.addmv, torch.baddbmm, torch.addbmm),
    *(Tensor.matmul, Tensor.bmm, Tensor.mm, Tensor.mv, Tensor.baddbmm, Tensor.__matmul__, Tensor.__rmatmul__),
}
_IN_SINGLE = {
    *(F.layer_norm, F.group_norm, F.softmax, F.log_softmax, F.l1_loss, F.mse_loss, F.smooth_l1_loss, F.softplus),
    *(F.normalize, F.cosine_similarity, F.cross_entropy, F.binary_cross_entropy_with_logits),
    *(torch.softmax, torch.exp, torch.log, torch.pow, torch.norm, torch.sum, torch.prod, torch.cumsum, torch.rsqrt),
    *(Tensor.softmax, Tensor.exp, Tensor.log, Tensor.pow, Tensor.norm, Tensor.sum, Tensor.prod, Tensor.cumsum),
    *(Tensor.rsqrt, Tensor.reciprocal, torch.reciprocal, Tensor.__pow__),
}
_IN_THE_WIDEST = {
    *(torch.dot, torch.vdot, torch.addcmul, torch.addcdiv, torch.tensordot, torch.cross, F.grid_sample, F.bilinear),
    *(Tensor.dot, Tensor.vdot, Tensor.addcmul, Tensor.addcdiv),
}


def _cast(value: Any, old: torch.dtype, new: torch.dtype) -> Any:
    if isinstance(value, Tensor):
        return value.to(new) if value.is_meta and value.dtype == old else value
    if isinstance(value, dict):
        return {name: _cast(each, old, new) for name, each in value.items()}
    return type(value)(_cast(each, old, new) for each in value) if type(value) in (list, tuple) else value


def _loading_of_losses(task: Any) -> Any:
    return getattr(getattr(task, "losses", None), "load_shapes", None)

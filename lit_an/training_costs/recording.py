"""What a computation does, seen operation by operation: arithmetic, memory traffic, and the memory in use."""

import weakref
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


class Operation(NamedTuple):
    """One operation of PyTorch, one or a few kernels on a device.

    Attributes:
        flops: of a convolution, a matrix product or attention, two for a multiply-add; 0 for all else.
        traffic: bytes of its inputs and outputs, each once.
        dtype: of its first floating-point tensor.
    """

    flops: int
    traffic: int
    dtype: torch.dtype


class Recording(TorchDispatchMode):
    """Records the operations on the meta device inside the block.

    A tensor of that device has a shape and a type, and no numbers; its storage has a size, and lives as long as a real
    one. So the bytes of all storages in use are those that PyTorch's allocator would hand out. What an operation needs
    for itself (workspaces of convolutions, buffers of custom operators) is not seen.

    Attributes:
        outside: bytes of the storages that were used and not made inside the block, by their identity.
        operations: how often each was seen.
        repeats: how often what follows takes place, ≥ 0; the memory in use is that of one time.
        live: bytes in use of storages that were made inside the block.
        peak: the largest ``live`` so far.

    Example:
        >>> with Recording() as record:
        ...     x = torch.zeros(10, 10, device="meta")
        ...     y = (x @ x).relu()
        >>> record.live, record.peak, sum(each.flops for each in record.operations)
        (800, 1200, 2000)
    """

    def __init__(self) -> None:
        super().__init__()
        self.operations: Counter[Operation] = Counter()
        self.repeats = 1
        self.live = self.peak = 0
        self.outside: dict[int, int] = {}
        self._sizes: dict[int, int] = {}
        self._watched: dict[int, Any] = {}

    def need(self, size: int) -> None:
        """Notes ``size`` bytes that are in use for a moment beside ``live``."""
        self.peak = max(self.peak, self.live + size)

    def add(self, operation: Operation) -> None:
        """Adds an operation that is not run here."""
        self.operations[operation] += self.repeats

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = function(*args, **kwargs)
        made = list(_meta_tensors((result,)))
        given = list(_meta_tensors((*args, *kwargs.values())))
        if made or given:
            self._count(function, args, kwargs, result, given, made)
        before = set()
        for tensor in given:
            storage = tensor.untyped_storage()
            before.add(storage._cdata)
            if storage._cdata not in self._sizes:
                self.outside[storage._cdata] = storage.nbytes()
        for tensor in made:
            storage = tensor.untyped_storage()
            if storage._cdata not in before and storage._cdata not in self._sizes:
                self._born(storage)
        return result

    def _count(
        self, function: Any, args: Any, kwargs: Any, result: Any, given: list[Tensor], made: list[Tensor]
    ) -> None:
        if function.is_view or "empty" in function.__name__ or function in _FREE:
            return
        formula = flop_registry.get(function._overloadpacket) or _FORMULAS.get(function._overloadpacket)
        flops = int(formula(*args, **kwargs, out_val=result)) if formula is not None else 0
        dtype = next((tensor.dtype for tensor in (*given, *made) if tensor.is_floating_point()), torch.int64)
        self.add(Operation(flops, sum(map(_bytes, given)) + sum(map(_bytes, made)), dtype))

    def _born(self, storage: Any) -> None:
        key, size = storage._cdata, storage.nbytes()
        self._sizes[key] = size
        self._watched[key] = weakref.ref(storage, lambda _: self._died(key))
        self.live += size
        self.peak = max(self.peak, self.live)

    def _died(self, key: int) -> None:
        self.live -= self._sizes.pop(key, 0)
        self._watched.pop(key, None)


def added_product(sums: Tensor, left: Tensor, right: Tensor, **kwargs: Any) -> int:
    """FLOPs of ``sums.baddbmm_(left, right)``, from tensors: AN's, in place, which torch's counter does not know."""
    batch, rows, inner = left.shape
    return int(2 * batch * rows * inner * right.shape[2])


_FORMULAS = {torch.ops.aten.baddbmm_: added_product}
# A new name for the same memory.
_FREE = {torch.ops.aten.detach.default, torch.ops.aten.alias.default, torch.ops.aten._unsafe_view.default}


def _meta_tensors(values: Iterable[Any]) -> Iterator[Tensor]:
    """The tensors of the meta device among the arguments of an operation, where they may stand in lists."""
    for value in values:
        if isinstance(value, Tensor):
            if value.is_meta:
                yield value
        elif isinstance(value, (list, tuple)):
            yield from _meta_tensors(value)


def _bytes(tensor: Tensor) -> int:
    """Bytes that a kernel has to read or write; an expanded tensor repeats what it has."""
    return int(min(tensor.numel() * tensor.element_size(), tensor.untyped_storage().nbytes()))

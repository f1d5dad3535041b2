"""Multiply-adds of a network's forward pass, without running it a second time."""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map
from torch.utils.flop_counter import FlopCounterMode


class OperationCount:
    """Counts the multiply-adds of convolutions and matrix products in the first forward pass that it sees.

    It notes the shapes of that pass's arguments, and goes through the network once more with tensors that have a shape
    and no values.

    Args:
        network: hooked until ``take``.
    """

    def __init__(self, network: nn.Module) -> None:
        self._network = network
        self._seen: tuple[Any, Any] | None = None
        self._hook: Any = network.register_forward_pre_hook(self._note, with_kwargs=True)

    @property
    def has_run(self) -> bool:
        """Whether there is a pass to count."""
        return self._seen is not None

    def take(self) -> int | None:
        """Multiply-adds for one image; None if the network has not run, or cannot run without values.

        Takes the hook off the network; a second call returns None.
        """
        self._hook.remove()
        seen, self._seen = self._seen, None
        if seen is None:
            return None
        arguments, options = seen
        images = next((len(value) for value in arguments if isinstance(value, Tensor) and value.dim()), 1)
        counter = FlopCounterMode(display=False)
        try:
            # A copy, since a network may hold tensors that are no parameters, and move them to where its input is.
            valueless = copy.deepcopy(self._network, _valueless(self._network)).to("meta")
            with torch.random.fork_rng(devices=[]), torch.no_grad(), counter:
                valueless(*arguments, **options)
        except Exception:  # networks of other packages may do anything with values
            return None
        return int(counter.get_total_flops()) // 2 // images

    def _note(self, network: nn.Module, arguments: Any, options: Any) -> None:
        if self._seen is None:
            self._seen = tree_map(_shape_of, (arguments, options))


def _valueless(network: nn.Module) -> dict[int, Tensor]:
    """What a copy has in the place of each tensor, by its identity: one without values, which takes no memory.

    Also of networks that a module holds in a tuple or list, hidden from its parameters.
    """
    found: dict[int, Tensor] = {}
    for module in network.modules():
        for tensor in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
            empty = tensor.detach().to("meta")
            found[id(tensor)] = nn.Parameter(empty, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else empty
        for held in vars(module).values():
            if isinstance(held, (list, tuple)):
                for other in held:
                    found |= _valueless(other) if isinstance(other, nn.Module) else {}
    return found


def _shape_of(value: Any) -> Any:
    return value.detach().to("meta") if isinstance(value, Tensor) else value

"""What the semantic layouts of a network do while it runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from lit_an.norms.attentive.layer import SemanticLayout

Recorded = dict[str, tuple[Tensor, Tensor]]


@contextmanager
def recorded_layouts(network: nn.Module) -> Iterator[Recorded]:
    """Records input features and layout of every ``SemanticLayout`` that runs in the block, by module name.

    Yields:
        A dictionary that fills: name to ((B, C, H, W) features, (B, N, H, W) layout).
    """
    recorded: Recorded = {}

    def record(name: str) -> Any:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], layout: Tensor) -> None:
            recorded[name] = (inputs[0].detach(), layout.detach())

        return hook

    modules = [(name, module) for name, module in network.named_modules() if isinstance(module, SemanticLayout)]
    handles = [module.register_forward_hook(record(name.removesuffix(".layout"))) for name, module in modules]
    try:
        yield recorded
    finally:
        for handle in handles:
            handle.remove()

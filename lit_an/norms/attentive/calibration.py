"""Calibrates how sharp the semantic layouts of a network are at the start."""

from collections.abc import Callable
from typing import Any

import torch
import torch.distributed
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from lit_an.errors import InputError
from lit_an.norms.attentive.semantic_layout import SemanticLayout
from lit_an.norms.base import without_compiler


@torch.no_grad()
def calibrate_layouts(
    network: nn.Module, run: Callable[[], Any], regions_per_position: float | None = None
) -> dict[str, float]:
    """Runs a network once in training mode and calibrates each semantic layout just before it is used.

    Only the entity filters change. Modes, buffers (running statistics, vectors of spectral norm) and PyTorch's random
    state are restored. A network in ``DistributedDataParallel`` has the first process's filters in all processes, each
    of which must call this.

    Args:
        network: holds the layouts.
        run: runs the network on inputs like those of the training.
        regions_per_position: what ``SemanticLayout.calibrate`` takes.

    Returns:
        The factor of each layout that has run, by module name.

    Raises:
        InputError: what ``SemanticLayout.calibrate`` raises, or none of the layouts has run.

    Example:
        >>> from lit_an.norms import AttentiveNorm2d
        >>> norm, x = AttentiveNorm2d(8), 0.1 * torch.randn(4, 8, 16, 16)
        >>> 5 < calibrate_layouts(norm, lambda: norm(x))["layout"] < 20
        True
    """
    factors: dict[str, float] = {}

    def calibrates(name: str) -> Callable[[SemanticLayout, tuple[Tensor, ...]], None]:
        def hook(layout: SemanticLayout, inputs: tuple[Tensor, ...]) -> None:
            factors[name] = layout.calibrate(inputs[0], regions_per_position)

        return hook

    layouts = [(name, module) for name, module in network.named_modules() if isinstance(module, SemanticLayout)]
    handles = [layout.register_forward_pre_hook(calibrates(name)) for name, layout in layouts]
    buffers = [(buffer, buffer.clone()) for buffer in network.buffers()]
    modes = [(module, module.training) for module in network.modules()]
    devices = {parameter.device.index for parameter in network.parameters() if parameter.device.type == "cuda"}
    try:
        with torch.random.fork_rng(devices=sorted(devices)), without_compiler():
            network.train()
            run()
    finally:
        for handle in handles:
            handle.remove()
        for module, mode in modes:
            module.training = mode
        for buffer, former in buffers:
            buffer.copy_(former)
    if layouts and not factors:
        raise InputError(
            f"calibrate_layouts: none of the network's {len(layouts)} layouts has run; run this very network, not a "
            "copy of it"
        )
    for wrapper in (module for module in network.modules() if isinstance(module, DistributedDataParallel)):
        for layout in (module for module in wrapper.modules() if isinstance(module, SemanticLayout)):
            torch.distributed.broadcast(layout.entities.data, group=wrapper.process_group, group_src=0)
    return factors

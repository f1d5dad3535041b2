"""The norms of any network: where they are, how many channels they have, and what they have learned."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lit_an.norms.base import ConditionKind, Norm2d
from lit_an.norms.self_attention import Attention2d
from lit_an.norms.standard import GroupNorm2d, NoNorm

_OF_MAPS = (nn.BatchNorm2d, nn.InstanceNorm2d, nn.SyncBatchNorm, nn.GroupNorm)
_LAZY = (nn.LazyBatchNorm2d, nn.LazyInstanceNorm2d)
_KNOWN = (*_OF_MAPS, *_LAZY, nn.LayerNorm, nn.LocalResponseNorm, nn.CrossMapLRN2d, Norm2d)


@dataclass(frozen=True)
class FoundNorm:
    """A norm in a network.

    Args:
        names: of the module, one for each place where it is used; the first one is the name in ``named_modules``.
        module: the norm.
        channels: C, or None where the class does not say.
        reason: why the norm cannot be replaced, or None.
    """

    names: tuple[str, ...]
    module: nn.Module
    channels: int | None
    reason: str | None = None

    @property
    def kind(self) -> str:
        """The name of its class."""
        return type(self.module).__name__


def find_norms(network: nn.Module) -> list[FoundNorm]:
    """All norms of a network, in the order of ``named_modules``; a module that is used twice is found once.

    A module counts as a norm if it is one of PyTorch's or of ``lit_an``'s, or if its class is called one. What is only
    called a norm may be a block, such as a ``ConvNorm``: the norms in it are found too, and those of a network that is
    called so are its norms.

    Example:
        >>> network = nn.Sequential(nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8), nn.Flatten(), nn.LayerNorm(8))
        >>> [(norm.names, norm.channels, norm.reason) for norm in find_norms(network)]
        [(('1',), 8, None), (('3',), None, 'it normalizes the last dimension, not the channels of a map')]
    """
    names: dict[nn.Module, list[str]] = {}
    within: set[nn.Module] = set()
    block_of: dict[nn.Module, str] = {}
    for name, module in network.named_modules(remove_duplicate=False):
        if module in within or not _is_norm(module):
            continue
        parts = [part for part in module.modules() if part is not module]
        if isinstance(module, _KNOWN):
            within.update(parts)
        elif module is network and any(map(_is_norm, parts)):
            continue
        else:
            block = f"it is a part of the {type(module).__name__} {name!r}; name its class in types to replace it"
            block_of.update((part, block) for part in parts if part not in block_of)
        names.setdefault(module, []).append(name)
    found = []
    for module, places in names.items():
        channels, reason = _channels(module)
        found.append(FoundNorm(tuple(places), module, channels, reason or block_of.get(module)))
    return found


def condition_of(module: nn.Module) -> tuple[ConditionKind, int]:
    """What a norm is given beside the features, and the width of a vector."""
    kind: ConditionKind = getattr(module, "condition_kind", "none")
    gain = getattr(module, "gain", None)
    return kind, gain.in_features if kind == "vector" and isinstance(gain, nn.Linear) else 0


def statistics_of(module: nn.Module) -> nn.Module:
    """The module that holds a norm's numbers: the layer of PyTorch inside, or the norm itself."""
    inner = getattr(module, "norm", None)
    return inner if isinstance(module, Norm2d) and isinstance(inner, nn.Module) else module


def settings_of(module: nn.Module) -> dict[str, float | None]:
    """What a norm was made with, by name: ``eps``, ``momentum`` and ``num_groups``, of those that it has.

    A ``momentum`` of None is that of a batch norm that takes the mean over all batches.
    """
    numbers = statistics_of(module)
    found = {key: getattr(numbers, key, None) for key in ("eps", "momentum")}
    found = {
        key: value
        for key, value in found.items()
        if value is not None or (key == "momentum" and getattr(numbers, "track_running_stats", False))
    }
    # The layer norm of lit_an is made of PyTorch's group norm, but has no groups to choose.
    if isinstance(module, (nn.GroupNorm, GroupNorm2d)):
        found["num_groups"] = numbers.num_groups  # type: ignore[assignment]
    return found


def per_channel(module: nn.Module, name: str, channels: int) -> Tensor | None:
    """A parameter or buffer of a norm, (C,), or None if the norm has none with one number per channel."""
    tensor = getattr(statistics_of(module), name, None)
    return tensor if isinstance(tensor, Tensor) and tensor.shape == (channels,) else None


def _is_norm(module: nn.Module) -> bool:
    called = type(module).__name__.rstrip("0123456789dD").endswith("Norm")
    # Parametrizations, such as spectral norm, act on weights.
    return isinstance(module, _KNOWN) or (called and "parametriz" not in type(module).__module__)


def _channels(module: nn.Module) -> tuple[int | None, str | None]:
    """The channels of a norm, and why it cannot be replaced."""
    if isinstance(module, _LAZY):
        return None, "it learns its number of channels from its first input; run the network once"
    if isinstance(module, (Attention2d, NoNorm)):
        return module.num_features, "it is no norm; name its class in types to replace it"
    if isinstance(module, Norm2d):
        return module.num_features, None
    more = layers_in(module)
    reason = f"it also holds {', '.join(more)}; name its class in types to replace it without" if more else None
    if isinstance(module, nn.GroupNorm):
        return module.num_channels, reason
    if isinstance(module, (nn.BatchNorm2d, nn.InstanceNorm2d, nn.SyncBatchNorm)):
        return module.num_features, reason
    if isinstance(module, nn.LayerNorm):
        # torchvision's and timm's norms of this form permute the map, and so override forward.
        if len(module.normalized_shape) == 1 and type(module).__name__.endswith("2d"):
            return module.normalized_shape[0], reason
        return None, "it normalizes the last dimension, not the channels of a map"
    return None, "its class is not known as a norm of (B, C, H, W)"


def layers_in(module: nn.Module) -> list[str]:
    """What a norm of another library holds beside itself, such as an activation: name and class of each layer."""
    if isinstance(module, Norm2d):
        return []
    children = ((name, child) for name, child in module.named_children() if not isinstance(child, nn.Identity))
    return [f"{name} ({type(child).__name__})" for name, child in children if name != "parametrizations"]


def place_of(module: nn.Module, network: nn.Module) -> tuple[torch.device, torch.dtype] | None:
    """Device and floating-point type of a norm; of one without tensors, those of the network's first parameter."""
    for owner in (module, network):
        for tensor in (*owner.parameters(), *owner.buffers()):
            if tensor.is_floating_point():
                return tensor.device, tensor.dtype
    return None

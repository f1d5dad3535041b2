"""Replaces the norms of a network that somebody else wrote."""

import fnmatch
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn

from lit_an.errors import InputError
from lit_an.norms.base import ConditionKind
from lit_an.norms.found_norms import (
    FoundNorm,
    condition_of,
    find_norms,
    layers_in,
    per_channel,
    place_of,
    settings_of,
    statistics_of,
)
from lit_an.norms.registry import NORMS, asking_argument, condition_kind, norm_factory, standardizes_convolutions
from lit_an.norms.replacement_report import KeptNorm, NormReplacement, ReplacedNorm

_CONDITIONS: dict[ConditionKind, str] = {"vector": "a condition vector", "mask": "a mask"}
_NOT_STANDARDIZED = (
    "the weights of the convolutions are not standardized, as {norm!r} asks for; "
    "call lit_an.norms.standardize_weight on each"
)
_PARAMETERS, _BUFFERS = ("weight", "bias"), ("running_mean", "running_var")


def replace_norms(
    network: nn.Module,
    norm: str,
    *,
    types: type[nn.Module] | tuple[type[nn.Module], ...] | None = None,
    names: str | Iterable[str] | None = None,
    channels: tuple[int | None, int | None] | None = None,
    where: Callable[[str, nn.Module], bool] | None = None,
    **kwargs: Any,
) -> NormReplacement:
    """Replaces norms of (B, C, H, W) in a network by a registered norm, in place.

    Knows ``BatchNorm2d``, ``SyncBatchNorm``, ``InstanceNorm2d``, ``GroupNorm``, layer norms over the channels of a map
    (``LayerNorm2d`` of torchvision and timm) and the norms of ``lit_an``. Other norms are left alone. A norm is
    replaced if it meets all of the selections that are given; without a selection, all norms are. Those with an
    activation of their own, and those in a block that is called a norm, are replaced only if ``types`` has their class.

    The new norm has the mode, device, floating-point type and ``requires_grad`` of the former one. Where both norms
    have them, it also has its ``eps``, ``momentum``, ``num_groups``, weight and bias per channel, and running
    statistics; an argument in ``kwargs`` takes precedence. What of these it has no place for is in the report;
    arguments that only norms of ``lit_an`` have, such as ``num_regions``, are those of the new norm. A module that is
    used in several places is replaced by one module in all of them.
    If an error is raised, nothing has been changed. Convolutions are left as they are; if the norm asks for
    standardized weights, the report says so.

    Args:
        network: holds the norms; must not be a norm itself.
        norm: a registered name, one of ``NORMS.names()``.
        types: a class, or a tuple of classes; subclasses count.
        names: a pattern, or several, for module names, as ``fnmatch`` reads them: ``"layer1.*"``; ``*`` matches dots
            too. Each must match a norm.
        channels: fewest and most channels; None is no limit.
        where: takes name and module of a norm, and says whether to replace it.
        kwargs: arguments of the new norm.

    Returns:
        What was replaced and what was left alone; ``print`` shows it as a table.

    Raises:
        InputError: an unknown norm or argument, a selection that no norm meets, or a norm that needs a condition where
            the network gives none.

    Example:
        >>> network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3), nn.GroupNorm(2, 8))
        >>> print(replace_norms(network, "attentive", types=nn.BatchNorm2d, num_regions=4))
        1 replaced
          name  from         to               channels  carried over  not carried over
          1     BatchNorm2d  AttentiveNorm2d  8         eps           momentum, weight, bias, running statistics
        1 left alone
          name  norm       channels  because
          3     GroupNorm  8         not of types
        >>> network(torch.randn(2, 3, 12, 12)).shape
        torch.Size([2, 8, 8, 8])
    """
    norm_factory(norm, **kwargs)  # the name and the arguments are checked before anything else
    patterns = [names] if isinstance(names, str) else None if names is None else list(names)
    _check_selection(types, channels, where)
    found = find_norms(network)
    if any(one.module is network for one in found):
        raise InputError(f"replace_norms: the network is itself a {type(network).__name__}; create the norm directly")
    kept: list[KeptNorm] = []
    chosen: list[FoundNorm] = []
    for one in found:
        reason = _reason_to_keep(one, norm, types, patterns, channels, where)
        if reason is None:
            chosen.append(one)
        else:
            kept.append(KeptNorm("=".join(one.names), one.kind, one.channels, reason))
    _check_something_matches(found, chosen, kept, patterns)
    made: dict[nn.Module, nn.Module] = {}
    rows = []
    for one in chosen:
        made[one.module], row = _successor(one, norm, kwargs, network)
        rows.append(row)
    for parent in list(network.modules()):
        for key, child in parent._modules.items():
            if child in made:
                parent._modules[key] = made[child]
    notes = (_NOT_STANDARDIZED.format(norm=norm),) if standardizes_convolutions(norm) else ()
    return NormReplacement(tuple(rows), tuple(kept), notes)


def _check_selection(types: Any, channels: Any, where: Any) -> None:
    if types is not None and not all(
        isinstance(one, type) for one in (types if isinstance(types, tuple) else (types,))
    ):
        raise InputError(f"replace_norms: types must be a class or a tuple of classes, got {types!r}")
    limits = channels if isinstance(channels, tuple) and len(channels) == 2 else ("",)
    if channels is not None and not all(limit is None or type(limit) is int for limit in limits):
        raise InputError(f"replace_norms: channels must be (fewest, most), whole numbers or None, got {channels!r}")
    if channels is not None and None not in channels and channels[0] > channels[1]:
        raise InputError(f"replace_norms: channels must be (fewest, most), got {channels!r}")
    if where is not None and not callable(where):
        raise InputError(f"replace_norms: where must be a function of name and module, got {where!r}")


def _reason_to_keep(
    one: FoundNorm,
    norm: str,
    types: Any,
    patterns: list[str] | None,
    channels: tuple[int | None, int | None] | None,
    where: Callable[[str, nn.Module], bool] | None,
) -> str | None:
    """Why a norm stays, or None if it is to be replaced."""
    if patterns is not None and not any(fnmatch.fnmatchcase(name, each) for name in one.names for each in patterns):
        return "not of names"
    if types is not None and not isinstance(one.module, types):
        return "not of types"
    if one.channels is None:
        return one.reason
    if types is None and one.reason is not None:
        return one.reason
    if types is None and type(one.module) is NORMS.get(norm):
        return "it is one already; name its class in types to replace it"
    fewest, most = channels or (None, None)
    if (fewest is not None and one.channels < fewest) or (most is not None and one.channels > most):
        return "not of channels"
    if where is not None and not any(where(name, one.module) for name in one.names):
        return "not of where"
    return None


def _check_something_matches(
    found: list[FoundNorm], chosen: list[FoundNorm], kept: list[KeptNorm], patterns: list[str] | None
) -> None:
    if not found:
        raise InputError("replace_norms: the network has no norms")
    for pattern in patterns or []:
        if not any(fnmatch.fnmatchcase(name, pattern) for one in found for name in one.names):
            raise InputError(f"replace_norms: names {pattern!r} matches no norm; the network has {_listed(found)}")
    if not chosen:
        reasons = ", ".join(dict.fromkeys(row.reason for row in kept))
        raise InputError(f"replace_norms: no norm is selected ({reasons}); the network has {_listed(found)}")


def _listed(found: list[FoundNorm]) -> str:
    """The norms of a network in words: how many of each class, with a few names and the range of channels."""
    kinds: dict[str, list[FoundNorm]] = {}
    for one in found:
        kinds.setdefault(one.kind, []).append(one)
    parts = []
    for kind, members in kinds.items():
        names = ", ".join(one.names[0] for one in members[:3]) + (", …" if len(members) > 3 else "")
        counts = sorted(one.channels for one in members if one.channels is not None)
        span = f"; {' to '.join(map(str, dict.fromkeys((counts[0], counts[-1]))))} channels" if counts else ""
        parts.append(f"{len(members)} {kind} ({names}{span})")
    return ", ".join(parts)


def _successor(one: FoundNorm, norm: str, kwargs: dict[str, Any], network: nn.Module) -> tuple[nn.Module, ReplacedNorm]:
    """The norm that takes the place of another, and what became of what the other one had."""
    former, channels, name = one.module, one.channels, "=".join(one.names)
    assert channels is not None
    arguments, accepted = dict(kwargs), NORMS.arguments(norm)
    needed = condition_kind(norm, kwargs)
    given, width = condition_of(former)
    if needed not in ("none", given):
        asking = asking_argument(norm, kwargs)
        raise InputError(
            f"replace_norms: norm {norm!r}{f' with {asking}' if asking else ''} needs {_CONDITIONS[needed]}, and the "
            f"network gives none to {name}"
        )
    if needed == "vector" and width and "condition_features" in accepted:
        arguments.setdefault("condition_features", width)
    carried: list[str] = []
    lost: list[str] = []
    for key, value in settings_of(former).items():
        if key in kwargs:
            continue
        # A momentum of None is PyTorch's cumulative mean over all batches, which no norm of ours has.
        is_carried = key in accepted and value is not None
        (carried if is_carried else lost).append(key)
        if is_carried:
            arguments[key] = value
    present = NORMS.create(norm, channels, **arguments)
    place = place_of(former, network)
    if place is not None:
        present.to(*place)
    present.train(former.training)
    learned = list(former.parameters())
    if learned and not any(parameter.requires_grad for parameter in learned):
        present.requires_grad_(False)
    copied, left = _copy_numbers(former, present, channels)
    row = ReplacedNorm(
        name, one.kind, type(present).__name__, channels, tuple(carried + copied), tuple(lost + left + _extras(former))
    )
    return present, row


@torch.no_grad()
def _copy_numbers(former: nn.Module, present: nn.Module, channels: int) -> tuple[list[str], list[str]]:
    """Copies what both norms have for each channel; returns the names of what was copied, and of what was not."""
    copied: list[str] = []
    left: list[str] = []
    for name in _PARAMETERS:
        source, target = per_channel(former, name, channels), per_channel(present, name, channels)
        if source is not None and target is not None:
            target.copy_(source)
            target.requires_grad_(source.requires_grad)
        if getattr(statistics_of(former), name, None) is not None:
            (copied if source is not None and target is not None else left).append(name)
    sources = [per_channel(former, name, channels) for name in _BUFFERS]
    targets = [per_channel(present, name, channels) for name in _BUFFERS]
    if None not in targets and None not in sources:
        for source, target in zip(sources, targets, strict=True):
            assert source is not None
            assert target is not None
            target.copy_(source)
        counts = [getattr(statistics_of(each), "num_batches_tracked", None) for each in (former, present)]
        if counts[0] is not None and counts[1] is not None:
            counts[1].copy_(counts[0])
        copied.append("running statistics")
    elif None not in sources:
        left.append("running statistics")
    elif None not in targets and getattr(statistics_of(former), "track_running_stats", None) is False:
        left.append("statistics of the batch in eval mode")  # the new norm tracks, and then uses what it tracked
    return copied, left


def _extras(former: nn.Module) -> list[str]:
    """What belongs to a norm beside its numbers, and stays with it."""
    hooks = (former._forward_hooks, former._forward_pre_hooks, former._backward_hooks, former._backward_pre_hooks)
    synchronized = [isinstance(part, nn.SyncBatchNorm) for part in former.modules()]
    return ["hooks"] * any(hooks) + ["synchronization"] * any(synchronized) + layers_in(former)

"""The registry of norms by name."""

from collections.abc import Callable
from typing import Any

from torch import nn

from lit_an.norms.base import ConditionKind
from lit_an.registry import Registry

MakeNorm = Callable[[int], nn.Module]

NORMS: Registry[nn.Module] = Registry("norm", entry_point_group="lit_an.norms")


def register_norm(name: str) -> Callable[[Callable[..., nn.Module]], Callable[..., nn.Module]]:
    """Decorator that registers a norm class under ``name``; other packages may use the entry-point group instead."""
    return NORMS.register(name)


def condition_kind(name: str) -> ConditionKind:
    """The condition that the norm called ``name`` requires; ``none`` if its class does not say.

    Raises:
        InputError: unknown name.

    Example:
        >>> condition_kind("conditional_batch"), condition_kind("attentive")
        ('vector', 'none')
    """
    kind: ConditionKind = getattr(NORMS.get(name), "condition_kind", "none")
    return kind


def norm_factory(name: str, **kwargs: Any) -> MakeNorm:
    """A callable from a number of channels to the norm called ``name``.

    Args:
        name: one of ``NORMS.names()``.
        kwargs: arguments of that norm; names and types are checked here.

    Raises:
        InputError: unknown name or argument, or an argument of the wrong type.

    Example:
        >>> norm_factory("group", num_groups=4)(16).num_features
        16
    """
    return NORMS.factory(name, **kwargs)

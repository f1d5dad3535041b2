"""The registry of norms by name."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from lit_an.norms.base import ConditionKind
from lit_an.registry import Registry

MakeNorm = Callable[[int], nn.Module]

NORMS: Registry[nn.Module] = Registry("norm", entry_point_group="lit_an.norms")


def register_norm(name: str) -> Callable[[Callable[..., nn.Module]], Callable[..., nn.Module]]:
    """Decorator that registers a norm class under ``name``; other packages may use the entry-point group instead."""
    return NORMS.register(name)


def condition_kind(name: str, arguments: Mapping[str, Any] | None = None) -> ConditionKind:
    """The condition that the norm called ``name`` requires; ``none`` if its class does not say.

    Args:
        name: a registered norm.
        arguments: what it is created with, or None; one of them may make it require a condition.

    Raises:
        InputError: unknown name.

    Example:
        >>> condition_kind("conditional_batch"), condition_kind("attentive")
        ('vector', 'none')
        >>> condition_kind("attentive", {"class_affine": True})
        'vector'
    """
    entry, asking = NORMS.get(name), asking_argument(name, arguments)
    kind: ConditionKind = getattr(entry, "condition_kind", "none")
    return kind if asking is None else getattr(entry, "condition_arguments", {})[asking]


def asking_argument(name: str, arguments: Mapping[str, Any] | None) -> str | None:
    """The argument by which the norm called ``name`` requires a condition, or None; arguments as above."""
    keys = getattr(NORMS.get(name), "condition_arguments", {})
    return next((key for key in keys if (arguments or {}).get(key)), None)


def standardizes_convolutions(name: str) -> bool:
    """Whether the norm called ``name`` wants convolutions of standardized weights around it.

    Raises:
        InputError: unknown name.

    Example:
        >>> standardizes_convolutions("standardized_group"), standardizes_convolutions("group")
        (True, False)
    """
    return bool(getattr(NORMS.get(name), "standardizes_convolutions", False))


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

"""Slots for norms: resolves the name of a norm in a config, given the condition that the network provides."""

import logging
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from lit_an.errors import InputError
from lit_an.norms.base import ConditionKind
from lit_an.norms.registry import NORMS, MakeNorm, asking_argument, condition_kind
from lit_an.norms.residual import is_residual, residual

log = logging.getLogger(__name__)

Scalar = bool | int | float | str
LongRangeForm = Literal["residual", "plain"]

NEEDS = {
    "vector": "a class vector, which this network does not have; it is for class-conditional generators",
    "mask": "a mask, which this network does not have; it is for inpainting networks",
}


@dataclass(frozen=True)
class ProvidedCondition:
    """The condition that a network gives to the norms of a slot.

    Args:
        kind: ``none``, ``vector`` (B, features) or ``mask`` (B, 1, H', W').
        features: width of a vector.
    """

    kind: ConditionKind = "none"
    features: int = 0


NO_CONDITION, MASK_CONDITION = ProvidedCondition(), ProvidedCondition("mask")


def resolve_norm(
    slot: str, name: str, kwargs: Mapping[str, Scalar] | None, provided: ProvidedCondition = NO_CONDITION
) -> MakeNorm:
    """A factory of the norm of a slot, from the name and the arguments in a config.

    Arguments that only another registered norm accepts are ignored with a notice, so that one key changes the norm even
    if the arguments of the former norm are still in the config. The norm draws its random numbers apart, so that after
    one seed all other weights of two networks are equal, whatever stands in the slot.

    Args:
        slot: name of the slot, for error sentences; its arguments are ``<slot>_kwargs``.
        name: a registered norm.
        kwargs: arguments for the norm, or None.
        provided: the condition that the network gives to the norm.

    Raises:
        InputError: unknown name, an argument that no norm accepts or of the wrong type, or a norm that depends on a
            condition that the network does not provide.

    Example:
        >>> resolve_norm("norm", "conditional_batch", None)
        Traceback (most recent call last):
        ...
        lit_an.errors.InputError: norm 'conditional_batch' needs a class vector, which this network does not have; it \
is for class-conditional generators
    """
    needed = condition_kind(name, kwargs)
    if needed not in ("none", provided.kind):
        asking = asking_argument(name, kwargs)
        raise InputError(f"{slot} {name!r}{f' with {asking}' if asking else ''} needs {NEEDS[needed]}")
    arguments, foreign = NORMS.split_arguments(name, kwargs or {})
    if foreign:
        log.warning("%s '%s' takes no %s: ignored in %s_kwargs", slot, name, ", ".join(foreign), slot)
    condition: dict[str, Any] = {"condition_features": provided.features} if provided.features else {}
    condition = {key: value for key, value in condition.items() if key in NORMS.arguments(name)}
    return _drawn_apart(slot, NORMS.factory(name, **{**condition, **arguments}))


def resolve_long_range(
    name: str,
    kwargs: Mapping[str, Scalar] | None,
    *,
    form: LongRangeForm = "residual",
    provided: ProvidedCondition = NO_CONDITION,
) -> MakeNorm | None:
    """A factory of the layer in the slot ``long_range``, or None for ``none``.

    Args:
        name: a registered norm.
        kwargs: its arguments, or None. ``residual_start``, ρ at the start, is one of every norm in the form
            ``residual``.
        form: ``residual``: x + ρ · norm(W_v x), the form that attentive normalization and self-attention have, for
            every norm, so that two of them differ in the norm alone; ``plain``: the norm in the place of x.
        provided: the condition that the network gives to the norm.

    Raises:
        InputError: unknown form, and what ``resolve_norm`` raises.
    """
    if form not in ("residual", "plain"):
        raise InputError(f"long_range_form must be 'residual' or 'plain', got {form!r}")
    is_wrapped = form == "residual" and name != "none" and not is_residual(name)
    arguments = dict(kwargs or {})
    residual_start: Any = arguments.pop("residual_start", 0.0) if is_wrapped else 0.0  # the norm checks it
    make_norm = resolve_norm("long_range", name, arguments, provided)
    if name == "none":
        return None
    return _drawn_apart("long_range", residual(make_norm, residual_start)) if is_wrapped else make_norm


def norm_behind(name: str, form: LongRangeForm) -> str:
    """The norm that acts on the convolution before the slot ``long_range``, for ``LayerFactory.around``.

    In the form ``residual`` that is none: the norm acts on a projection of its own.

    Args:
        name: a registered norm.
        form: see ``resolve_long_range``.
    """
    return name if form == "plain" else "none"


def _drawn_apart(slot: str, make_norm: MakeNorm) -> MakeNorm:
    """Makes norms with random numbers of their own: the generator of PyTorch on the CPU stays where it was.

    The name of the slot tells norms apart that are made one after the other.
    """
    number_of_slot = zlib.crc32(slot.encode())

    def make(num_features: int) -> nn.Module:
        with torch.random.fork_rng(devices=()):
            # Not torch.manual_seed, which seeds the devices too.
            torch.default_generator.manual_seed(int(torch.randint(2**62, (), device="cpu")) ^ number_of_slot)
            return make_norm(num_features)

    return make

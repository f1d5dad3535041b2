"""What the registry of norms holds: of each norm what it does, where it comes from and what it needs."""

import re
from dataclasses import dataclass

from torch import nn

from lit_an.norms.attentive.semantic_layout import SemanticLayout
from lit_an.norms.base import ConditionKind
from lit_an.norms.registry import NORMS, condition_kind

_SMALL = 32  # channels of the norm that is asked whether it has a layout


@dataclass(frozen=True)
class ListedNorm:
    """An entry of the registry.

    Args:
        name: as registered.
        summary: what it does, the first line of its docstring without the paper, or empty.
        paper: number on arXiv, or empty.
        needs: the condition that it requires.
        has_layout: whether it has a semantic layout; None where it could not be created.
        is_residual: whether it adds to its input by itself.
        package: the package that it comes from.
    """

    name: str
    summary: str
    paper: str
    needs: ConditionKind
    has_layout: bool | None
    is_residual: bool
    package: str


def listed_norms() -> list[ListedNorm]:
    """All entries of the registry, those of other packages too, by name.

    Example:
        >>> next(norm for norm in listed_norms() if norm.name == "attentive").paper
        '2004.03828'
    """
    found = []
    for name in NORMS.names():
        entry = NORMS.get(name)
        first = (entry.__doc__ or "").strip().partition("\n")[0].strip()
        first = re.sub(r" \([^()]*arXiv [\d.]+\)", "", first)  # the paper has a place of its own
        found.append(
            ListedNorm(
                name=name,
                summary=first,
                paper=str(getattr(entry, "paper", "") or ""),
                needs=condition_kind(name),
                has_layout=_has_layout(name),
                is_residual=bool(getattr(entry, "is_residual", False)),
                package=str(getattr(entry, "__module__", "")).partition(".")[0],
            )
        )
    return found


def create_listed(name: str, channels: int, condition_features: int) -> nn.Module:
    """The norm with its default arguments, and the width of its condition where it takes one.

    Args:
        name: as registered.
        channels: C.
        condition_features: D, width of a vector.
    """
    takes_width = "condition_features" in NORMS.arguments(name)
    return NORMS.create(name, channels, **({"condition_features": condition_features} if takes_width else {}))


def _has_layout(name: str) -> bool | None:
    try:
        norm = create_listed(name, _SMALL, 1)
    except Exception:  # another package's class may raise anything; whoever creates it for use sees what
        return None
    return any(isinstance(module, SemanticLayout) for module in norm.modules())

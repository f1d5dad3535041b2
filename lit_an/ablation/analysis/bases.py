"""What figures of runs rest on: extractor, real images, counts, masks. Figures of different bases do not compare."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lit_an.ablation.analysis.runs import Run
from lit_an.metrics.generation import GenerationResult
from lit_an.metrics.inpainting import InpaintingResult

_FIELDS = tuple(dict.fromkeys((*GenerationResult.basis, *InpaintingResult.basis)))
# In results of inpainting, what only some figures rest on; all else is of every figure of a result.
_OF_SOME = {"lpips": ("lpips", "hole_lpips"), "extractor": ("fid", "p_ids", "u_ids")}
# Older files do not name what was done in the only way that there was.
_DEFAULTS = {"generator": {"statistics": "running", "protocol": None}}
# The description of the reference repeats the extractor, and its key follows from the rest.
_REPEATED = {"reference": ("key", "extractor")}
_SHOWN = 2  # keys of a field, named in a sentence
_HASH = 8  # digits

Basis = Mapping[str, Mapping[str, Any]]


def different_bases(runs: Iterable[Run], figure: str, iteration: int | None = None) -> str:
    """In what the results of runs differ that a figure rests on; empty if in nothing.

    What a result does not say at all is not compared.

    Args:
        runs: of a study.
        figure: as in the results, such as ``fid``; others rest on nothing that is known.
        iteration: of the results; None for all.

    Returns:
        Such as ``extractor (name lite against inception)``.
    """
    bases = [
        _basis(result, figure)
        for run in runs
        for at, result in run.results.items()
        if figure in result.get("figures", {}) and iteration in (None, at)
    ]
    parts = [_different(field, [basis[field] for basis in bases if field in basis]) for field in _FIELDS]
    return ", ".join(filter(None, parts))


def basis_doubts(runs: Sequence[Run], titles: Mapping[str, str]) -> list[str]:
    """A sentence for each difference of bases, with the figures that it concerns.

    Args:
        runs: of a study.
        titles: of the figures that are shown.
    """
    concerned: dict[str, list[str]] = {}
    for figure, title in titles.items():
        if told := different_bases(runs, figure):
            concerned.setdefault(told, []).append(title)
    return [
        f"{', '.join(dict.fromkeys(names))}: not to be compared between all runs, since their results are of different "
        f"{told}."
        for told, names in concerned.items()
    ]


def _basis(result: Mapping[str, Any], figure: str) -> Basis:
    of_inpainting = "masks" in result
    told = {**_DEFAULTS, **result} if not of_inpainting and "extractor" in result else result
    return {
        field: told[field]
        for field in _FIELDS
        if isinstance(told.get(field), Mapping)
        and not (of_inpainting and field in _OF_SOME and figure not in _OF_SOME[field])
    }


def _different(field: str, told: Sequence[Mapping[str, Any]]) -> str:
    keys = [key for key in dict.fromkeys(key for each in told for key in each) if key not in _REPEATED.get(field, ())]
    apart = {key: found for key in keys if len(found := dict.fromkeys(_spelled(each.get(key)) for each in told)) > 1}
    if not apart:
        return ""
    shown = [f"{key.replace('_', ' ')} {' against '.join(apart[key])}" for key in list(apart)[:_SHOWN]]
    return f"{field} ({'; '.join(shown)}{'; …' if len(apart) > _SHOWN else ''})"


def _spelled(value: Any) -> str:
    is_hash = isinstance(value, str) and len(value) >= 32 and not set(value) - set("0123456789abcdef")
    return f"{value[:_HASH]}…" if is_hash else "none" if value is None else str(value)

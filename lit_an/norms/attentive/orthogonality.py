"""Penalties that pull the entity filters of a semantic layout apart, and how strongly they pull on its sharpness.

The logits of a layout are τ · W x: the angles between the rows of W say which regions there are, the lengths of the
rows how sharply they are told apart. The form of the penalty decides whether it acts on the angles alone.

Source: Wang et al., CVPR 2020, section 3.2, and the authors' code (``inpaint-attnorm/net/network.py``).
"""

from collections.abc import Callable
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from lit_an.errors import InputError
from lit_an.tensors.precision import without_autocast

Orthogonality = Literal["unit_rows", "frobenius", "published"]


def orthogonality_penalty(weight: Tensor, form: Orthogonality = "unit_rows") -> Tensor:
    """How far the rows of a matrix are from an orthogonal (``unit_rows``) or orthonormal set.

    ==============  =============================  ==========================================================
    form            formula, Ŵ with rows w / ‖w‖   what it does to the length of the rows
    ==============  =============================  ==========================================================
    ``unit_rows``   ‖Ŵ Ŵᵀ − I‖²_F                  nothing: it is a function of the angles alone
    ``frobenius``   ‖W Wᵀ − I‖²_F                  pulls them to 1, and so the layout to a uniform one
    ``published``   Σ of the entries of W Wᵀ − I   little: it is ‖Σ wᵢ‖² − N, which rows that sum to 0 minimize
    ==============  =============================  ==========================================================

    Args:
        weight: (N, C), one row per region.
        form: one of the above.

    Returns:
        Scalar, smaller is better, summed (not averaged) over the N² entries; ≥ 0, ``published`` ≥ −N.

    Raises:
        InputError: unknown form.

    Source: ``frobenius`` is the paper's text, ``published`` its code; weight 1e-3 in the paper's objective.

    Example:
        >>> rows = torch.tensor([[3.0, 0.0], [0.0, 3.0]])
        >>> [float(orthogonality_penalty(rows, form)) for form in ("unit_rows", "frobenius", "published")]
        [0.0, 128.0, 16.0]
    """
    check_form(form)
    with without_autocast(weight):
        return _FORMS[form](weight)


def check_form(form: str) -> None:
    """Raises InputError where there is no such form of the penalty."""
    if form not in get_args(Orthogonality):
        raise InputError(f"orthogonality must be 'unit_rows', 'frobenius' or 'published', got {form!r}")


def _gram_minus_identity(weight: Tensor) -> Tensor:
    return weight @ weight.t() - torch.eye(len(weight), dtype=weight.dtype, device=weight.device)


_FORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "unit_rows": lambda weight: _gram_minus_identity(F.normalize(weight, dim=1)).square().sum(),
    "frobenius": lambda weight: _gram_minus_identity(weight).square().sum(),
    "published": lambda weight: _gram_minus_identity(weight).sum(),
}

"""The three forms of the penalty against loops, and what they do to the sharpness of a layout."""

import pytest
import torch
from torch import Tensor

from lit_an.errors import InputError
from lit_an.norms.attentive.orthogonality import Orthogonality, orthogonality_penalty


def gram_minus_identity(weight: Tensor) -> list[float]:
    rows = range(len(weight))
    return [float(weight[i] @ weight[j]) - (1.0 if i == j else 0.0) for i in rows for j in rows]


def test_the_forms_are_their_formulas() -> None:
    weight = 3 * torch.randn(3, 7, dtype=torch.float64)
    unit = torch.stack([row / row.norm() for row in weight])
    expected = {
        "unit_rows": sum(entry**2 for entry in gram_minus_identity(unit)),
        "frobenius": sum(entry**2 for entry in gram_minus_identity(weight)),
        "published": sum(gram_minus_identity(weight)),
    }
    for form, value in expected.items():
        assert float(orthogonality_penalty(weight, form)) == pytest.approx(value)  # type: ignore[arg-type]
    assert expected["published"] == pytest.approx(float(weight.sum(0).square().sum()) - 3)


def test_orthonormal_rows_have_none() -> None:
    rows = torch.linalg.qr(torch.randn(7, 3, dtype=torch.float64)).Q.t()
    for form in ("unit_rows", "frobenius", "published"):
        assert float(orthogonality_penalty(rows, form)) == pytest.approx(0, abs=1e-12)
    assert float(orthogonality_penalty(5 * rows, "unit_rows")) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("form", "kept"), [("unit_rows", True), ("published", True), ("frobenius", False)])
def test_what_the_penalty_alone_leaves_of_the_rows_length(form: Orthogonality, kept: bool) -> None:
    """By Adam on the penalty alone: the paper's formula pulls rows of length 8 to 1, the others do not."""
    torch.manual_seed(0)
    weight = torch.randn(8, 64).requires_grad_()
    before = weight.norm(dim=1).mean().item()
    optimizer = torch.optim.Adam([weight], lr=2e-2)
    for _ in range(1500):
        optimizer.zero_grad()
        orthogonality_penalty(weight, form).backward()
        optimizer.step()
    after = weight.norm(dim=1).mean().item()
    assert after > 0.6 * before if kept else after == pytest.approx(1, abs=0.1)
    if form == "unit_rows":
        assert orthogonality_penalty(weight).item() < 0.01, "and the regions are apart"


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(InputError, match="orthogonality must be 'unit_rows', 'frobenius' or 'published', got 'l2'"):
        orthogonality_penalty(torch.eye(2), "l2")  # type: ignore[arg-type]


@pytest.mark.parametrize("form", ["unit_rows", "frobenius", "published"])
def test_autocast_changes_nothing(form: Orthogonality) -> None:
    weight = torch.randn(8, 64)
    with torch.autocast("cpu", torch.bfloat16):
        inside = orthogonality_penalty(weight, form)
    assert torch.equal(inside, orthogonality_penalty(weight, form))

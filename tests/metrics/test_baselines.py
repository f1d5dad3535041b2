"""Baselines: none of them looks into the hole, and each does what it says."""

import sys

import pytest
import torch
from torch import Tensor

from lit_an.errors import InputError
from lit_an.metrics.baselines import BASELINES, Baseline


@pytest.fixture(params=BASELINES.names())
def baseline(request: pytest.FixtureRequest) -> Baseline:
    if request.param == "biharmonic":
        pytest.importorskip("skimage", reason="the extra 'inpainting' is not installed")
    return BASELINES.create(request.param)


@pytest.fixture
def mask() -> Tensor:
    mask = torch.zeros(2, 1, 12, 10)
    mask[0, :, 3:6, 2:7] = mask[1, :, :, :4] = 1
    return mask


def test_nothing_in_the_hole_is_seen(baseline: Baseline, mask: Tensor) -> None:
    image = torch.rand(2, 3, 12, 10) * 2 - 1
    filled = baseline(image, mask)
    assert filled.shape == image.shape
    assert filled.dtype == image.dtype
    inside = filled[mask.expand_as(image) > 0]
    assert inside.abs().max() <= 1
    other = torch.where(mask > 0, torch.nan, image)
    assert torch.equal(baseline(other, mask)[mask.expand_as(image) > 0], inside)


def test_what_is_flat_is_filled_rightly(baseline: Baseline, mask: Tensor) -> None:
    image = torch.tensor([0.2, -0.6, 0.9])[None, :, None, None].expand(2, 3, 12, 10)
    assert ((baseline(image, mask) - image).abs() * mask).max() < 1e-6


def test_biharmonic_goes_on_with_a_slope(mask: Tensor) -> None:
    pytest.importorskip("skimage", reason="the extra 'inpainting' is not installed")
    image = torch.linspace(-0.5, 0.5, 12)[:, None].expand(2, 3, 12, 10)
    slope = (BASELINES.create("biharmonic")(image, mask) - image)[0] * mask[0]
    mean = (BASELINES.create("mean")(image, mask) - image)[0] * mask[0]
    assert slope.abs().max() < 0.02 < mean.abs().max()


def test_a_hole_of_everything_is_gray(mask: Tensor) -> None:
    assert torch.equal(
        BASELINES.create("mean")(torch.ones(2, 3, 12, 10), torch.ones_like(mask)), torch.zeros(2, 3, 12, 10)
    )


def test_a_missing_package_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage.restoration", None)
    with pytest.raises(InputError, match=r"needs the package scikit-image, .*; pip install 'lit_an\[inpainting\]'"):
        BASELINES.create("biharmonic")

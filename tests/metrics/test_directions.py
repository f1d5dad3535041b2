"""Directions: of every figure that results have, and as the figures behave."""

from pathlib import Path

import pytest
import torch

from lit_an.metrics.directions import KINDS, kind_of
from lit_an.metrics.feature_networks.extractors import Features
from lit_an.metrics.feature_networks.lpips import Lpips
from lit_an.metrics.generation import generation_result
from lit_an.metrics.image_scores import image_scores
from lit_an.metrics.inpainting import FIGURES
from lit_an.metrics.layout import LayoutStatistics
from tests.metrics.random_lpips import save_random_lpips
from tests.metrics.test_generation import EXTRACTOR, collect, features_of, reference_of


def generated(scale: float, shift: float) -> dict[str, float]:
    rows = features_of(100, 12, 0.0).features * scale + shift
    fake = collect(Features(rows, rows[:, :4]), 32)
    return generation_result(fake, EXTRACTOR, reference_of(features_of(90, 12, 0.0)), num_classes=3).figures


def check(good: dict[str, float], bad: dict[str, float]) -> None:
    for name, value in good.items():
        better = KINDS[name].better
        if better is not None:
            assert (value > bad[name]) == (better == "higher"), f"{name}: {value} is better than {bad[name]}"


def test_generated_images_far_from_real_ones_have_worse_figures() -> None:
    good = generated(1.0, 0.1)
    check(good, generated(0.3, 1.5))
    assert {name for name in good if KINDS[name].better is None} == {
        *("kid_deviation", "inception_score_deviation", "fid_floor", "intra_fid_floor"),
    }


def test_filled_holes_far_from_the_truth_have_worse_figures(tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="the extra 'inpainting' is not installed")
    from lit_an.metrics.discriminative import discriminative_scores

    generator = torch.Generator().manual_seed(0)
    image = torch.rand(2, 3, 192, 192, generator=generator) * 2 - 1
    mask = torch.zeros(2, 1, 192, 192)
    mask[..., 40:100, 40:120] = 1
    noise = torch.randn(image.shape, generator=generator) * mask
    lpips = Lpips("alex", save_random_lpips(tmp_path / "alexnet.ckpt"))
    good, bad = (
        {name: float(value.mean()) for name, value in found.items() if name != "hole_share"}
        for found in (image_scores(image, image + scale * noise, mask, lpips) for scale in (0.05, 0.5))
    )
    for scores in (good, bad):
        scores |= {f"{name}_percent": 50 * scores[name] for name in ("l1", "hole_l1")}
    real = torch.randn(60, 4, generator=generator)
    for scores, shift in ((good, 0.1), (bad, 3.0)):
        found = discriminative_scores(torch.randn(60, 4, generator=generator) + shift, real)
        scores |= {"fid": shift, "p_ids": found.p_ids, "u_ids": found.u_ids}
    assert set(good) == set(FIGURES)
    check(good, bad)


def test_layout_scores_have_directions() -> None:
    assert all(KINDS[name].better == "higher" for name in ("miou", "ari", "nmi", "purity", "boundary_f", "agreement"))
    counts = [name for name in LayoutStatistics._fields if name.startswith("effective")]
    assert [KINDS[name].better for name in counts] == [None, None]


def test_names_of_logs_are_known_too() -> None:
    assert kind_of("val/hole_psnr") == ("PSNR in holes", "higher")
    assert kind_of("layout/blocks.1/nmi") == ("NMI (blocks.1)", "higher")
    assert kind_of("train/recall") is None, "a log of a training is no figure of a result"
    assert kind_of("layout/long_range/usage/03") is None

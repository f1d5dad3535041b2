"""Results of inpainting: means by hand, per bin, with warnings, comparable only where that is right, valid JSON."""

import dataclasses
import json
import math
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lit_an.errors import InputError
from lit_an.metrics.discriminative import discriminative_scores
from lit_an.metrics.feature_networks.extractors import Features
from lit_an.metrics.feature_set import FeatureCollector, FeatureSet
from lit_an.metrics.frechet import frechet_distance_of_features
from lit_an.metrics.inpainting import (
    InpaintingResult,
    Measured,
    baseline_figures,
    inpainting_result,
    means,
)
from lit_an.metrics.results import compare_results

pytest.importorskip("sklearn", reason="the extra 'inpainting' is not installed")

DESCRIBED: dict[str, Any] = {
    "extractor": {"name": "small", "resize": "none", "weights_sha256": "0" * 64},
    "lpips": {"network": "alex", "weights_sha256": "1" * 64},
    "images": {"content_sha256": "2" * 64, "image_size": [8, 8], "count": 60},
    "masks": {"sha256": "3" * 64},
}


def features_of(rows: Tensor, keep: int = 1000) -> FeatureSet:
    collector = FeatureCollector(len(rows), keep)
    collector.add(Features(rows, None), torch.zeros(len(rows), dtype=torch.int64), torch.arange(len(rows)))
    return collector.collected()


def rows_of(count: int, size: int, shift: float) -> Tensor:
    return torch.randn(count, size, generator=torch.Generator().manual_seed(count + int(10 * shift))) + shift


def measured_of(count: int = 60, size: int = 4, keep: int = 1000) -> Measured:
    """Two thirds of the images with holes of 5 %, one third with 35 %."""
    number = torch.arange(count, dtype=torch.float64)
    share = torch.where(number % 3 == 0, 0.35, 0.05)
    scores = {"hole_share": share, "l1": number / 100, "psnr": 20 + number / 10, "hole_l1": number / 10}
    return Measured(torch.arange(count), scores, features_of(rows_of(count, size, 0.3), keep))


def result_of(count: int = 60, size: int = 4, keep: int = 1000) -> InpaintingResult:
    real = features_of(rows_of(count, size, 0.0), keep)
    return inpainting_result(measured_of(count, size, keep), real, DESCRIBED)


def test_means_over_all_and_over_bins() -> None:
    result = result_of()
    assert result.figures["l1"] == pytest.approx(59 / 2 / 100)
    assert result.figures["l1_percent"] == pytest.approx(59 / 2 / 100 / 2 * 100)
    assert result.figures["hole_l1_percent"] == pytest.approx(59 / 2 / 10 / 2 * 100)
    assert result.figures["psnr"] == pytest.approx(20 + 59 / 2 / 10)
    assert list(result.by_bin) == ["00-10", "30-40"]
    assert [result.by_bin[name]["images"] for name in result.by_bin] == [40, 20]
    assert result.by_bin["30-40"]["l1"] == pytest.approx(sum(range(0, 60, 3)) / 20 / 100)
    weighted = sum(one["images"] * one["psnr"] for one in result.by_bin.values()) / 60
    assert weighted == pytest.approx(result.figures["psnr"])
    assert result.warnings == []


def test_distances_are_those_of_the_features_and_pairs_stay_pairs() -> None:
    result = result_of()
    fake, real = rows_of(60, 4, 0.3), rows_of(60, 4, 0.0)
    for figures, chosen in (
        (result.figures, torch.ones(60, dtype=torch.bool)),
        (result.by_bin["30-40"], torch.arange(60) % 3 == 0),
        (result.by_bin["00-10"], torch.arange(60) % 3 != 0),
    ):
        scores = discriminative_scores(fake[chosen], real[chosen])
        assert figures["fid"] == pytest.approx(frechet_distance_of_features(fake[chosen], real[chosen]))
        assert (figures["p_ids"], figures["u_ids"]) == (scores.p_ids, scores.u_ids)


def test_bins_of_kept_rows_are_of_the_same_images() -> None:
    """With every second image kept, each bin's distance is that of its kept images."""
    result = result_of(keep=30)
    fake, real = rows_of(60, 4, 0.3)[::2], rows_of(60, 4, 0.0)[::2]
    chosen = torch.arange(0, 60, 2) % 3 == 0
    assert result.by_bin["30-40"]["fid"] == pytest.approx(frechet_distance_of_features(fake[chosen], real[chosen]))
    assert result.by_bin["30-40"]["images"] == 20
    assert result.figures["fid"] == pytest.approx(result_of().figures["fid"])


def test_small_sets_are_warned_of_and_bins_stay_empty() -> None:
    result = result_of(size=30)
    assert "fid" in result.by_bin["00-10"]
    assert not {"fid", "p_ids", "u_ids"} & set(result.by_bin["30-40"])
    assert result.warnings == [
        "fid, p_ids, u_ids: absent in the bins 30-40 (20 images): too few for 30 features",
    ]
    result = result_of(size=60)
    assert "fid" in result.figures
    assert result.warnings[0].startswith("fid: 60 images are too few for 60 features: the figure is too large")
    assert result.warnings[1].startswith("p_ids, u_ids: 60 images are too few for 60 features: a plane separates")
    assert result.warnings[2].endswith("in the bins 00-10 (40 images), 30-40 (20 images): too few for 60 features")
    # What rests on kept rows counts those.
    few = [warning.split(":")[0] for warning in result_of(size=40, keep=30).warnings]
    assert few == ["p_ids, u_ids", "fid, p_ids, u_ids"]


def test_what_cannot_be_computed_is_absent_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert inpainting_result(measured_of()._replace(features=None), None, DESCRIBED).figures.keys() == {
        *("l1", "l1_percent", "psnr", "hole_l1", "hole_l1_percent")
    }
    one = inpainting_result(measured_of(1), features_of(rows_of(1, 4, 0)), DESCRIBED)
    assert one.warnings == ["fid, p_ids, u_ids: absent, since there are fewer than 2 images"]
    monkeypatch.setitem(sys.modules, "sklearn.svm", None)
    result = result_of()
    assert "fid" in result.figures
    assert "u_ids" not in result.figures
    assert [warning.split(":")[0] for warning in result.warnings] == ["p_ids, u_ids"]


def test_a_model_that_gives_no_numbers_gives_a_valid_file(tmp_path: Path) -> None:
    measured = measured_of()
    measured.scores["l1"][:2] = torch.nan
    measured.scores["psnr"][:] = torch.nan
    broken = rows_of(60, 4, 0.3)
    broken[5, 1] = torch.nan
    result = inpainting_result(
        measured._replace(features=features_of(broken)), features_of(rows_of(60, 4, 0.0)), DESCRIBED
    )
    assert result.figures["l1"] == pytest.approx(sum(range(2, 60)) / 58 / 100)
    assert not {"psnr", "fid", "p_ids", "u_ids"} & set(result.figures)
    said = " ".join(result.warnings)
    assert "l1: without 2 of 60 images, whose value is not a finite number" in said
    assert "psnr: without 60 of 60 images" in said
    assert "fid, p_ids, u_ids: absent, since the features of some images are not finite numbers" in said
    result.write(tmp_path / "metrics.json")

    def refuse(token: str) -> None:
        raise AssertionError(f"{token} is no JSON")

    json.loads((tmp_path / "metrics.json").read_text(), parse_constant=refuse)


def test_perfect_images_are_finite_and_counted() -> None:
    measured = measured_of()
    measured.scores["psnr"][:3] = 100.0
    result = inpainting_result(measured._replace(features=None), None, DESCRIBED)
    assert result.warnings == ["psnr: 3 of 60 images are perfect and count as 100 dB"]
    assert math.isfinite(result.figures["psnr"])


def test_a_baseline_of_a_part_stands_beside_the_model_on_that_part() -> None:
    measured, part = measured_of(), torch.tensor([0, 20, 40])
    some = Measured(part, {name: values[part] + 1 for name, values in measured.scores.items()})
    some.scores["hole_share"] -= 1
    real = features_of(rows_of(60, 4, 0.0))
    baselines = {"mean": baseline_figures(measured, real), "biharmonic": baseline_figures(some, None)}
    result = inpainting_result(measured, real, DESCRIBED, baselines, ["lpips: absent"])
    assert result.baselines["mean"] == {"images": 60, "figures": result.figures, "by_bin": result.by_bin}
    few = result.baselines["biharmonic"]
    assert few["images"] == 3
    assert few["model"]["l1"] == pytest.approx(0.2)
    assert few["figures"]["l1"] == pytest.approx(1.2)
    assert "fid" not in few["figures"]
    assert {name: one["images"] for name, one in few["by_bin"].items()} == {"00-10": 2, "30-40": 1}
    assert result.warnings == ["lpips: absent"]


def test_only_the_same_images_masks_and_networks_are_compared() -> None:
    result = result_of()
    better = dataclasses.replace(result, figures={**result.figures, "psnr": result.figures["psnr"] + 2})
    assert compare_results(result, better)["psnr"] == pytest.approx(2)
    for name, key, other in (
        ("masks", "sha256", "4" * 64),
        ("images", "count", 59),
        ("extractor", "resize", "bicubic"),
        ("lpips", "network", "vgg"),
    ):
        changed = dataclasses.replace(result, **{name: {**DESCRIBED[name], key: other}})
        with pytest.raises(InputError, match=f"of a different {name} cannot be compared: {key} .* against {other!r}"):
            compare_results(result, changed)
    without = dataclasses.replace(result, lpips=None)
    for pair in ((result, without), (without, result)):
        with pytest.raises(InputError, match="of a different lpips cannot be compared: network"):
            compare_results(*pair)


def test_a_result_comes_back_from_its_file(tmp_path: Path) -> None:
    real = features_of(rows_of(60, 4, 0.0))
    result = inpainting_result(
        measured_of(), real, DESCRIBED, {"mean": baseline_figures(measured_of(), real)}, ["ms_ssim: absent"]
    )
    result.write(tmp_path / "metrics.json", iteration=3)
    assert json.loads((tmp_path / "metrics.json").read_text())["iteration"] == 3
    assert InpaintingResult.read(tmp_path / "metrics.json") == result
    lines = result.table().splitlines()
    assert lines[0].startswith("60 images 222222222222…, masks 333333333333…; features small (weights 000000000000…)")
    assert lines[1].split() == ["network", "mean", "color"]
    assert lines[2].split() == ["images", "60", "60"]
    psnr = next(line for line in lines if line.startswith("  PSNR ↑"))
    assert float(psnr.split()[2]) == pytest.approx(result.figures["psnr"], abs=1e-2)
    bins = lines.index(next(line for line in lines if line.startswith("  by hole area")))
    assert lines[bins].split()[3:] == ["00-10", "%", "30-40", "%"]
    assert lines[bins + 1].split() == ["images", "40", "20"]
    assert max(map(len, lines[1:])) <= 80
    assert lines[-1] == "  warning: ms_ssim: absent"
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(InputError, match="holds no metrics of inpainting"):
        InpaintingResult.read(tmp_path / "other.json")


def test_means_leave_out_what_is_not_there() -> None:
    assert means({"hole_share": torch.ones(2)}, torch.ones(2, dtype=torch.bool)) == {}
    assert means({"ssim": torch.ones(2)}, torch.zeros(2, dtype=torch.bool)) == {}

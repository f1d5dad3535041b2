"""Results: the same for any batches, with warnings where a sample is small, compared only where that is right."""

import dataclasses
import json
import math
from pathlib import Path

import pytest
import torch

from lit_an.errors import InputError
from lit_an.metrics.class_distances import ClassDistances
from lit_an.metrics.feature_networks.extractors import Features
from lit_an.metrics.feature_set import FeatureCollector, FeatureSet, keep_rows
from lit_an.metrics.frechet import frechet_distance_of_features, moments_of
from lit_an.metrics.generation import GenerationResult, generation_result
from lit_an.metrics.reference_statistics import ReferenceStatistics
from lit_an.metrics.results import compare_results

EXTRACTOR = {"name": "small", "resize": "none", "weights_sha256": "0" * 64}


def features_of(count: int, size: int, shift: float, logits: int = 4) -> Features:
    generator = torch.Generator().manual_seed(count)
    features = torch.randn(count, size, generator=generator) + shift
    return Features(features, features[:, :logits] if logits else None)


def collect(found: Features, batch: int, keep: int = 1000, classes: int = 3) -> FeatureSet:
    count = len(found.features)
    collector = FeatureCollector(count, keep, with_scores=True)
    order = torch.randperm(count)
    for index in order.split(batch):
        part = Features(*(None if x is None else x[index] for x in found))
        collector.add(part, index * classes // count, index)
    return collector.collected()


def reference_of(found: Features, extractor: dict[str, str] = EXTRACTOR) -> ReferenceStatistics:
    return ReferenceStatistics(collect(found, 32), {"extractor": extractor, "content_sha256": "1", "count": 1})


def result_of(count: int = 100, size: int = 12, batch: int = 32, **kwargs: int) -> GenerationResult:
    fake = collect(features_of(count, size, 0.3, **kwargs), batch)
    return generation_result(fake, EXTRACTOR, reference_of(features_of(90, size, 0.0)), num_classes=3)


def test_batches_and_their_order_change_nothing() -> None:
    first, other = result_of(batch=7), result_of(batch=32)
    assert set(first.figures) == {
        *("fid", "kid", "kid_deviation", "kid_all_pairs", "inception_score", "inception_score_deviation"),
        *("precision", "recall", "density", "coverage", "intra_fid", "fid_floor", "intra_fid_floor"),
    }
    assert other.figures == pytest.approx(first.figures, rel=1e-9)
    assert other.intra_fid_by_class == pytest.approx(first.intra_fid_by_class, rel=1e-9)
    of_a_class = {"generated_of_a_class": 33, "real_of_a_class": 30}
    rows = {"generated_rows": 100, "real_rows": 90, "features": 12}
    assert first.counts == {"generated": 100, "real": 90, **rows, **of_a_class}


def test_the_collected_set_is_the_plain_one_and_rows_are_spread_evenly() -> None:
    found = features_of(100, 12, 0.3)
    whole, few = collect(found, 7), collect(found, 7, keep=30)
    assert torch.equal(whole.rows, found.features)
    torch.testing.assert_close(whole.moments.covariance, moments_of(found.features).covariance)
    torch.testing.assert_close(few.moments.covariance, whole.moments.covariance)
    chosen = torch.arange(30) * 100 // 30
    assert torch.equal(few.rows, found.features[chosen])
    assert few.label.bincount().tolist() == [11, 10, 9]  # of images 0-33, 34-66, 67-99
    assert few.num_images == 100


def test_intra_fid_is_the_mean_of_the_classes() -> None:
    result = result_of()
    fake, real = features_of(100, 12, 0.3).features, features_of(90, 12, 0.0).features
    label_fake, label_real = torch.arange(100) * 3 // 100, torch.arange(90) * 3 // 90
    expected = [frechet_distance_of_features(fake[label_fake == c], real[label_real == c]) for c in range(3)]
    assert result.intra_fid_by_class == pytest.approx(expected)
    assert result.figures["intra_fid"] == pytest.approx(sum(expected) / 3)


def test_an_image_twice_or_none_is_a_defect() -> None:
    collector = FeatureCollector(3, 3)
    collector.add(features_of(2, 4, 0.0), torch.tensor([0, 0]), torch.tensor([0, 1]))
    with pytest.raises(AssertionError, match="missing or was added twice"):
        collector.collected()


def test_small_samples_are_warned_of_inside_the_result() -> None:
    result = result_of(count=100, size=200)
    warnings = " ".join(result.warnings)
    assert (
        "fid: 100 generated and 90 real images are too few for 200 features: two samples of the real images, of these "
        f"counts, would get about {result.figures['fid_floor']:.3g} instead of 0" in warnings
    )
    assert f"would get about {result.figures['intra_fid_floor']:.3g} instead of 0; compare figures of the" in warnings
    assert "kid: subsets of 90 images" in warnings
    assert "intra_fid: as few as 30 images of a class are too few for 200 features" in warnings
    assert not any(warning.startswith("fid") for warning in result_of(count=100, size=12).warnings)
    score = [warning for warning in result_of(count=30).warnings if warning.startswith("inception_score")]
    assert score == ["inception_score: 3 images in each of 10 splits are too few for 4 classes: the figure is too low"]


def test_what_cannot_be_computed_is_absent_and_said() -> None:
    result = result_of(count=3, logits=0)
    assert set(result.figures) == {"fid", "fid_floor", "kid", "kid_deviation", "kid_all_pairs"}
    assert result.intra_fid_by_class == [None, None, None]
    warnings = " ".join(result.warnings)
    assert "inception_score: absent" in warnings
    assert "precision to coverage: absent" in warnings
    assert "intra_fid: without 3 of 3 classes" in warnings
    assert all(math.isfinite(value) for value in result.figures.values())


def test_another_extractor_is_never_compared() -> None:
    other = {**EXTRACTOR, "resize": "bicubic"}
    with pytest.raises(InputError, match="compute the reference with the same extractor"):
        generation_result(collect(features_of(20, 4, 0.0), 5), other, reference_of(features_of(20, 4, 0.0)), 3)
    result = result_of()
    with pytest.raises(InputError, match="different extractor cannot be compared: resize 'none' against 'bicubic'"):
        compare_results(result, dataclasses.replace(result, extractor=other))
    with pytest.raises(InputError, match="different counts cannot be compared: generated 100 against 99"):
        compare_results(result, dataclasses.replace(result, counts={**result.counts, "generated": 99}))
    with pytest.raises(InputError, match="different reference cannot be compared: key"):
        compare_results(result, dataclasses.replace(result, reference={**result.reference, "key": "other"}))
    standing = {**result.generator, "statistics": "standing"}
    with pytest.raises(InputError, match="different generator cannot be compared: statistics 'running' against 'stan"):
        compare_results(result, dataclasses.replace(result, generator=standing))
    better = dataclasses.replace(result, figures={**result.figures, "fid": result.figures["fid"] - 1})
    assert compare_results(result, better)["fid"] == pytest.approx(-1)


def test_a_result_comes_back_from_its_file(tmp_path: Path) -> None:
    result = result_of()
    result.write(tmp_path / "metrics.json", iteration=3)
    assert json.loads((tmp_path / "metrics.json").read_text())["iteration"] == 3
    assert GenerationResult.read(tmp_path / "metrics.json") == result
    assert "100 generated and 90 real images; small (none; weights 000000000000…)" in result.table()
    stored = json.loads((tmp_path / "metrics.json").read_text())
    del stored["generator"]  # as older files
    (tmp_path / "older.json").write_text(json.dumps(stored))
    assert GenerationResult.read(tmp_path / "older.json") == result
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(InputError, match="holds no metrics of a generator"):
        GenerationResult.read(tmp_path / "other.json")


def test_precision_is_of_generated_images_and_recall_of_real_ones() -> None:
    """The case by hand of tests/metrics/test_distances.py, from features on a line to the result."""
    real = torch.arange(10.0)[:, None]
    fake = torch.tensor([4.0, 4.1, 4.2, 4.3, 4.4, 4.5, 4.6, 20.0])[:, None]
    result = generation_result(
        collect(Features(fake, None), 3, classes=1), EXTRACTOR, reference_of(Features(real, None)), num_classes=1
    )
    assert (result.figures["precision"], result.figures["recall"]) == (7 / 8, 6 / 10)
    assert result.figures["coverage"] == 1


def test_figures_of_single_images_take_no_more_rows_than_are_kept() -> None:
    """Where all real rows are there for the classes, KID and precision to coverage still see an even choice of them."""
    fake, real = collect(features_of(40, 6, 0.3), 8), collect(features_of(90, 6, 0.0), 8)
    few = generation_result(
        keep_rows(fake, 20), EXTRACTOR, ReferenceStatistics(real, {"extractor": EXTRACTOR}), 3, keep=30
    )
    assert (few.counts["generated_rows"], few.counts["real_rows"], few.counts["real"]) == (20, 30, 90)
    by_hand = ReferenceStatistics(real._replace(rows=real.rows[::3], label=real.label[::3]), {"extractor": EXTRACTOR})
    other = generation_result(keep_rows(fake, 20), EXTRACTOR, by_hand, 3)
    same = ("fid", "kid", "precision", "recall", "density", "coverage")
    assert {name: few.figures[name] for name in same} == {name: other.figures[name] for name in same}
    assert few.counts["real_of_a_class"] == 10


def test_classes_measured_one_by_one_take_the_place_of_the_kept_rows() -> None:
    fake, reference = collect(features_of(40, 6, 0.3), 8), reference_of(features_of(90, 6, 0.0))
    classes = ClassDistances()
    for label in range(3):
        classes.add(
            features_of(50 + label, 6, 0.2).features, reference.features.rows[reference.features.label == label]
        )
    made = {"statistics": "standing", "passes": 7, "protocol": None}
    result = generation_result(fake, EXTRACTOR, reference, 3, classes=classes, generator=made)
    assert result.intra_fid_by_class == classes.by_class
    assert result.figures["intra_fid"] == pytest.approx(sum(classes.by_class) / 3)  # type: ignore[arg-type]
    assert (result.counts["generated_of_a_class"], result.counts["real_of_a_class"]) == (50, 30)
    assert result.generator == made

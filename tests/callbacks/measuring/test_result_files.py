"""Figures of a checkpoint that is measured again."""

import dataclasses
import json
from pathlib import Path
from typing import Any, ClassVar

import pytest

from callbacks import GenerationMetrics, MetricsCSV
from callbacks.measuring.result_files import file_beside_others
from lit_an.metrics.results import Result
from tests.callbacks.generation_runs import measured
from tests.training import logged_rows


@dataclasses.dataclass(frozen=True)
class Small(Result):
    title: ClassVar[str] = "small"
    basis: ClassVar[tuple[str, ...]] = ("counts",)
    figures: dict[str, float]
    counts: dict[str, Any]


def test_figures_of_other_settings_stay(tmp_path: Path) -> None:
    usual = tmp_path / "metrics_val_0000004.json"
    results = [Small({"fid": float(count)}, {"images": count, "sizes": (count, 1)}) for count in (9, 4, 5)]
    names = (usual.name, "metrics_val_0000004_2.json", "metrics_val_0000004_3.json")
    for result, name in zip(results, names, strict=True):
        for again in range(2):
            path = file_beside_others(usual, dataclasses.replace(result, figures={"fid": float(again)}))
            assert path.name == name
            result.write(path)
    usual.write_text("cut sho")
    assert file_beside_others(usual, results[1]) == usual


def test_a_second_measurement_of_other_settings_is_beside_the_first(
    tmp_path: Path, image_folder: Path, small: dict[str, Any]
) -> None:
    kwargs: dict[str, Any] = {"logger": MetricsCSV(str(tmp_path))}
    first = measured(tmp_path, image_folder, GenerationMetrics(**small), **kwargs)
    logged = logged_rows(tmp_path, "test/fid")
    fewer = GenerationMetrics(**{**small, "num_images": 12})
    with pytest.warns(UserWarning, match=r"metrics_test_0000000\.json has figures of other settings, which stay; the "):
        assert measured(tmp_path, image_folder, fewer, **kwargs) == first
    beside = json.loads((tmp_path / "metrics_test_0000000_2.json").read_text())
    assert beside["counts"]["generated"] == 12
    assert logged_rows(tmp_path, "test/fid") == logged

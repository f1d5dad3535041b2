"""Scores of layouts in tiny real runs of both tasks: what is written, with and without ground truth."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import torch

from callbacks import LayoutScores, MetricsCSV
from lit_an.data import InpaintingData
from lit_an.data.sources import Earth
from lit_an.errors import InputError
from lit_an.metrics.layout import layout_agreement
from lit_an.metrics.layout.result import LayoutScoresResult
from lit_an.metrics.results import compare_results
from lit_an.norms.recording import recorded_layouts
from tests.callbacks.layout_runs import colorful, earth_data, earth_task, written_by_a_test
from tests.training import (
    logged_rows,
    make_data,
    make_inpainting_task,
    make_photographs,
    make_task,
    make_trainer,
)

METHODS = ["learned", "untrained", "k-means of features", "k-means of colors", "position grid", "random", "one region"]
TRUE = ["miou", "purity", "chance", "ari", "nmi", "boundary_f"]
NO_TRUTH = ["regions_in_use", "position_share", "border_share", "grid_share", "seed_stability"]


def test_both_networks_of_a_class_conditional_task_are_scored(
    tmp_path: Path, few_tiles: Earth, capsys: pytest.CaptureFixture[str]
) -> None:
    callback = LayoutScores(images=9, segmenter_images=40)
    stored = written_by_a_test(tmp_path, colorful(earth_task()), earth_data(few_tiles), callback)
    assert list(stored["layers"]) == ["generator.long_range", "discriminator.long_range"]
    assert stored["truth"]["source"] == {
        "generator.long_range": "segmenter",
        "discriminator.long_range": "region maps",
    }
    assert 0.3 < stored["truth"]["segmenter"]["accuracy"] < 1
    assert stored["truth"]["segmenter"]["images"] == 40
    for name, layer in stored["layers"].items():
        assert list(layer["methods"]) == METHODS
        assert 0 < layer["untrained_deviation"]["ari"] < 0.5
        assert (layer["num_regions"], layer["size"], layer["count"]) == (4, [8, 8], 9)
        real = name.startswith("discriminator")
        assert layer["images"] == ("real" if real else "generated")
        for method, figures in layer["methods"].items():
            again = ({"seed_stability"} if method == "learned" else set()) | ({"mirror_stability"} if real else set())
            assert set(figures) >= {*TRUE, *NO_TRUTH[:4], *again}
            assert ("mirror_stability" in figures) == real
            assert all(-1 <= value <= 9 for value in figures.values())
        one, grid = layer["methods"]["one region"], layer["methods"]["position grid"]
        assert (one["ari"], one["purity"], one["regions_in_use"]) == (0, one["chance"], 1)
        assert (grid["position_share"], grid["regions_in_use"]) == (pytest.approx(1), pytest.approx(4))
        assert abs(layer["methods"]["random"]["ari"]) < 0.05
    printed = capsys.readouterr().out
    assert "generator.long_range: 4 regions, 8×8, 9 generated images, truth: segmenter with accuracy 0." in printed
    assert max(len(line) for line in printed.splitlines() if line.startswith("  ") and "warning" not in line) < 100
    learned = stored["layers"]["generator.long_range"]["methods"]["learned"]
    assert stored["figures"]["generator.long_range/ari"] == learned["ari"]


def test_the_discriminator_is_scored_on_the_real_images_and_maps(tmp_path: Path, few_tiles: Earth) -> None:
    task, data = earth_task(), earth_data(few_tiles)
    stored = written_by_a_test(tmp_path, task, data, LayoutScores(images=9, segmenter_images=4, batch_size=4))
    dataset = data.dataset("test")
    items = [dataset[number * len(dataset) // 9] for number in range(9)]
    with torch.no_grad(), recorded_layouts(task.discriminator.eval()) as recorded:
        task.discriminator(torch.stack([item.image for item in items]), torch.stack([item.label for item in items]))
    agreement = layout_agreement(recorded["long_range"][1], torch.stack([item.regions for item in items]))  # type: ignore[misc]
    found = stored["layers"]["discriminator.long_range"]["methods"]["learned"]
    assert found["purity"] == pytest.approx(float(agreement.accuracy))
    assert found["chance"] == pytest.approx(float(agreement.chance))


def test_stability_is_of_mirrored_images_and_of_draws(tmp_path: Path, few_tiles: Earth) -> None:
    found = {}
    for scale in (0.0, 1.0):
        task = earth_task()
        layout = task.discriminator.long_range.layout  # type: ignore[union-attr]
        with torch.no_grad():
            layout.sampling_scale.fill_(scale)
            layout.entities.mul_(scale or 1e-3)  # without sampling, to be far from what sampling would give
            layout.query.weight.mul_(100)
        callback = LayoutScores(images=8, segmenter_images=4)
        stored = written_by_a_test(tmp_path / str(scale), task, earth_data(few_tiles), callback)
        methods = stored["layers"]["discriminator.long_range"]["methods"]
        found[scale] = methods["learned"]["seed_stability"]
        assert methods["k-means of colors"]["mirror_stability"] == pytest.approx(1), (
            "colors are mirrored with the image"
        )
        assert methods["position grid"]["mirror_stability"] < 0
        assert "seed_stability" not in methods["untrained"]
    assert found[0.0] == pytest.approx(1)
    assert found[1.0] < 0.95


def test_first_and_rest_are_two_regions(tmp_path: Path, few_tiles: Earth) -> None:
    arguments: Any = {"images": 12, "segmenter_images": 8}
    everything = written_by_a_test(tmp_path / "all", earth_task(), earth_data(few_tiles), LayoutScores(**arguments))
    two = LayoutScores(**arguments, regions="first_and_rest")
    merged = written_by_a_test(tmp_path / "two", earth_task(), earth_data(few_tiles), two)
    found, other = (
        stored["layers"]["discriminator.long_range"]["methods"]["learned"] for stored in (merged, everything)
    )
    assert found["chance"] > max(0.5, other["chance"])
    assert found["purity"] >= other["purity"]
    results = [LayoutScoresResult.read(tmp_path / name / "layout_scores_test_0000000.json") for name in ("all", "two")]
    with pytest.raises(InputError, match="different truth cannot be compared: regions 'all' against 'first_and_rest'"):
        compare_results(*results)
    assert set(compare_results(results[0], results[0]).values()) == {0}


def test_an_inpainting_generator_is_scored_outside_of_the_holes(tmp_path: Path, few_tiles: Earth) -> None:
    task, data = make_inpainting_task(), InpaintingData(few_tiles, 32, batch_size=4)
    stored = written_by_a_test(tmp_path, task, data, LayoutScores(images=9, batch_size=4))
    (name,) = stored["layers"]
    assert name == "generator.long_range.5.norm"
    assert stored["truth"]["source"] == {name: "region maps"}
    assert "segmenter" not in stored["truth"]
    dataset = data.dataset("test")
    items = [dataset[number * len(dataset) // 9] for number in range(9)]
    image, mask, regions = (torch.stack(parts) for parts in zip(*items, strict=True))
    with torch.no_grad(), recorded_layouts(task.generator.eval()) as recorded:
        task.inpaint(image, mask)
    agreement = layout_agreement(recorded["long_range.5.norm"][1], regions, 1 - mask)
    learned = stored["layers"][name]["methods"]["learned"]
    assert learned["purity"] == pytest.approx(float(agreement.accuracy))
    assert set(learned) >= {*TRUE, *NO_TRUTH, "mirror_stability"}


@pytest.mark.parametrize("inpaints", [False, True])
def test_without_region_maps_the_rest_is_measured_and_a_line_says_so_once(
    tmp_path: Path, image_folder: Path, caplog: pytest.LogCaptureFixture, inpaints: bool
) -> None:
    task = make_inpainting_task() if inpaints else make_task()
    data = make_photographs(image_folder) if inpaints else make_data(image_folder)
    trainer = make_trainer(
        tmp_path, task, 2, [LayoutScores(images=4)], val_check_interval=1, logger=[MetricsCSV(str(tmp_path))]
    )
    with caplog.at_level(logging.INFO):
        trainer.fit(task, datamodule=data)
    assert caplog.text.count("the data have no region maps, so layouts are measured without ground truth") == 1
    name = "generator.long_range.5.norm" if inpaints else "generator.long_range"
    for iteration in (1, 2):
        stored = json.loads((tmp_path / f"layout_scores_val_{iteration:07d}.json").read_text())
        learned = stored["layers"][name]["methods"]["learned"]
        assert set(learned) == {*NO_TRUTH, *(["mirror_stability"] if inpaints else [])}
        assert stored["truth"]["source"] == {name: "none"}
    logged = logged_rows(tmp_path, "val/layout/")
    assert {value for row in logged.values() for value in row} == {f"val/layout/{name}/position_share"}


def test_generated_images_of_one_region_are_compared_with_nothing(
    tmp_path: Path, few_tiles: Earth, capsys: pytest.CaptureFixture[str]
) -> None:
    task = earth_task()
    with torch.no_grad():
        task.generator.to_image.bias.fill_(5)  # type: ignore[union-attr]
    stored = written_by_a_test(tmp_path, task, earth_data(few_tiles), LayoutScores(images=4, segmenter_images=4))
    learned = stored["layers"]["generator.long_range"]["methods"]["learned"]
    assert set(learned) == {*NO_TRUTH, "several_regions"}
    assert "no image has two regions in the ground truth, so figures against it are all absent" in str(
        stored["warnings"]
    )
    assert "figures against it are all absent" in capsys.readouterr().out

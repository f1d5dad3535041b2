"""Scores of layouts in tiny real runs of both tasks: what is written and logged, with and without ground truth."""

import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback

from callbacks import GeneratorEMA, LayoutScores, MetricsCSV
from lit_an.data import ClassData, InpaintingData
from lit_an.data.sources import Earth
from lit_an.errors import InputError
from lit_an.metrics.layout import layout_agreement
from lit_an.metrics.layout.result import LayoutScoresResult
from lit_an.metrics.results import compare_results
from lit_an.networks import ProjectionDiscriminator, ResNetGenerator
from lit_an.norms.recording import recorded_layouts
from lit_an.tasks import AdversarialTask, ClassConditionalGAN
from tests.callbacks.tiny_inpainting import TinyInpainting
from tests.training import (
    ADAM,
    logged_rows,
    make_data,
    make_inpainting_task,
    make_photographs,
    make_task,
    make_trainer,
    run_in_two_processes,
)

METHODS = ["learned", "untrained", "k-means of features", "k-means of colors", "position grid", "random", "one region"]
TRUE = ["miou", "purity", "chance", "ari", "nmi", "boundary_f"]
NO_TRUTH = ["regions_in_use", "position_share", "border_share", "grid_share", "seed_stability"]


def earth_task(norm: str = "attentive") -> ClassConditionalGAN:
    """Both networks have a layout, of four regions at 8×8."""
    torch.manual_seed(0)
    regions: Any = {"num_regions": 4, "temperature": 1.0} if norm == "attentive" else {}
    slot: Any = {"long_range": norm, "long_range_resolution": 8, "long_range_kwargs": regions}
    generator = ResNetGenerator(32, num_classes=6, latent_dim=8, base_width=2, **slot)
    return ClassConditionalGAN(generator, ProjectionDiscriminator(32, 6, base_width=2, **slot), ADAM, ADAM)


def earth_data(tiles: Earth, **kwargs: Any) -> ClassData:
    return ClassData(tiles, 32, batch_size=4, **kwargs)


def written_by_a_test(
    folder: Path, task: AdversarialTask, data: pl.LightningDataModule, *callbacks: Callback, **kwargs: Any
) -> dict[str, Any]:
    """What a test of an untrained task writes."""
    make_trainer(folder, task, 1, list(callbacks), **kwargs).test(task, datamodule=data, verbose=False)
    stored: dict[str, Any] = json.loads((folder / "layout_scores_test_0000000.json").read_text())
    return stored


def colorful(task: ClassConditionalGAN) -> ClassConditionalGAN:
    """Its images are more than gray."""
    with torch.no_grad():
        for parameter in task.generator.final_norm.parameters():  # type: ignore[union-attr]
            parameter.add_(10 * torch.randn_like(parameter))
    return task


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


def test_few_names_are_logged(tmp_path: Path, few_tiles: Earth) -> None:
    callbacks = [GeneratorEMA(), LayoutScores(every_validations=2, images=6, segmenter_images=4)]
    logger = [MetricsCSV(str(tmp_path))]
    task = colorful(earth_task())
    trainer = make_trainer(tmp_path, task, 4, callbacks, val_check_interval=1, logger=logger)
    trainer.fit(task, datamodule=earth_data(few_tiles))
    rows = logged_rows(tmp_path, "val/layout/")
    assert list(rows) == [2, 4]
    names = [
        f"val/layout/{side}.long_range/{figure}"
        for side in ("generator", "discriminator")
        for figure in ("miou", "ari", "nmi", "position_share")
    ]
    assert sorted(rows[2]) == sorted(names)
    stored = json.loads((tmp_path / "layout_scores_val_0000004.json").read_text())
    assert rows[4]["val/layout/generator.long_range/miou"] == pytest.approx(
        stored["figures"]["generator.long_range/miou"]
    )


def test_measuring_leaves_the_training_as_it_was(tmp_path: Path, few_tiles: Earth) -> None:
    """The same weights with and without it, although layouts are sampled and copied."""
    found = []
    for callbacks in ([], [LayoutScores(images=6, segmenter_images=4)]):
        task = earth_task()
        make_trainer(tmp_path, task, 3, callbacks, val_check_interval=1).fit(task, datamodule=earth_data(few_tiles))
        found.append(task.state_dict())
    assert found[0].keys() == found[1].keys()
    for name, tensor in found[0].items():
        if isinstance(tensor, torch.Tensor):
            assert torch.equal(tensor, found[1][name]), name


def run_test(folder: Path, tiles: Earth, **kwargs: Any) -> dict[str, Any]:
    callback = LayoutScores(images=7, segmenter_images=5, batch_size=kwargs.pop("batch_size", 32))
    return written_by_a_test(folder, earth_task(), earth_data(tiles), callback, **kwargs)


def in_one_of_two_processes(rank: int, port: str, folder: Path, tiles: Earth) -> None:
    """A process of a run that something else than Lightning started."""
    os.environ |= {"LOCAL_RANK": str(rank), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    torch.set_num_threads(1)
    trainer = make_trainer(
        folder, task := earth_task(), 1, [LayoutScores(images=7, segmenter_images=5)],
        strategy="ddp", devices=2, use_distributed_sampler=False,
    )  # fmt: skip
    trainer.test(task, datamodule=earth_data(tiles), verbose=False)


def assert_same(first: dict[str, Any], other: dict[str, Any]) -> None:
    """All but the sampled layouts, whose seeds depend on the batch."""
    assert first["truth"] == other["truth"]
    for name, layer in first["layers"].items():
        for method, figures in layer["methods"].items():
            found = {key: value for key, value in figures.items() if key != "seed_stability"}
            theirs = {key: other["layers"][name]["methods"][method][key] for key in found}
            assert theirs == pytest.approx(found, abs=1e-6), (name, method)


def test_figures_depend_neither_on_batches_nor_on_the_number_of_processes(tmp_path: Path, few_tiles: Earth) -> None:
    first = run_test(tmp_path / "one", few_tiles)
    assert_same(first, run_test(tmp_path / "small", few_tiles, batch_size=3))
    run_in_two_processes(in_one_of_two_processes, tmp_path / "two", few_tiles)
    assert_same(first, json.loads((tmp_path / "two" / "layout_scores_test_0000000.json").read_text()))


def test_networks_without_layouts_are_said_once(
    tmp_path: Path, few_tiles: Earth, caplog: pytest.LogCaptureFixture
) -> None:
    task = earth_task("instance")
    trainer = make_trainer(tmp_path, task, 2, [LayoutScores(images=4)], val_check_interval=1)
    with caplog.at_level(logging.INFO):
        trainer.fit(task, datamodule=earth_data(few_tiles))
    assert caplog.text.count("no norm of these networks has a semantic layout, so no layouts are scored") == 1
    assert list(tmp_path.glob("layout_scores*")) == []


def test_mistakes_are_said(tmp_path: Path, few_tiles: Earth, image_folder: Path) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"images": 1}, "LayoutScores: images must be at least 2, got 1"),
        ({"tolerance": -1}, "LayoutScores: tolerance must be at least 0, got -1"),
        ({"segmenter_images": 0}, "LayoutScores: segmenter_images must be at least 1, got 0"),
        ({"regions": "two"}, "LayoutScores: regions must be 'all' or 'first_and_rest', got 'two'"),
        ({"every_validations": 0}, "LayoutScores: every_validations must be at least 1, got 0"),
    ]
    for arguments, sentence in wrong:
        with pytest.raises(InputError, match=sentence):
            LayoutScores(**arguments)
    task = earth_task()
    trainer = make_trainer(tmp_path, task, 1, [LayoutScores()])
    with pytest.raises(InputError, match="LayoutScores needs a data module with a method dataset"):
        trainer.test(task, dataloaders=earth_data(few_tiles).val_dataloader(), verbose=False)


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


def test_a_task_that_diverged_has_no_scores(tmp_path: Path, few_tiles: Earth) -> None:
    task = earth_task()
    with torch.no_grad():
        task.generator.to_image.bias.fill_(torch.nan)  # type: ignore[union-attr]
    with pytest.raises(InputError, match="the network makes images that are not finite numbers"):
        written_by_a_test(tmp_path, task, earth_data(few_tiles), LayoutScores(images=4, segmenter_images=4))


def test_a_task_without_images_is_refused(tmp_path: Path, image_folder: Path) -> None:
    class Other(TinyInpainting):
        inpaint = property()  # type: ignore[assignment]

    task = Other()
    trainer = make_trainer(tmp_path, task, 1, [LayoutScores()])  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"a task with generate\(label, seed\) or inpaint\(image, mask\), not Other"):
        trainer.test(task, datamodule=make_photographs(image_folder), verbose=False)

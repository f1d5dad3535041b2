"""Scores of layouts beside a training: logs, averaged weights, several processes, mistakes."""

import json
import logging
import os
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from callbacks import GeneratorEMA, LayoutScores, MetricsCSV
from lit_an.data.sources import Earth
from lit_an.errors import InputError
from lit_an.metrics.layout import position_shares
from lit_an.norms.recording import recorded_layouts
from tests.callbacks.layout_runs import colorful, earth_data, earth_task, written_by_a_test
from tests.callbacks.tiny_inpainting import TinyInpainting
from tests.training import (
    logged_rows,
    make_data,
    make_photographs,
    make_task,
    make_trainer,
    run_in_two_processes,
)


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


def test_layouts_are_those_of_the_averaged_weights(tmp_path: Path, image_folder: Path) -> None:
    task = make_task(optimizer=partial(torch.optim.Adam, lr=0.1))
    trainer = make_trainer(tmp_path, task, 3, [GeneratorEMA(), LayoutScores(images=6)], val_check_interval=3)
    trainer.fit(task, datamodule=make_data(image_folder))
    stored = json.loads((tmp_path / "layout_scores_val_0000003.json").read_text())
    numbers, found = torch.arange(6), []
    for weights in (task.averaged_weights, nullcontext):
        with weights(), torch.no_grad(), recorded_layouts(task.eval().generator) as recorded:
            task.generate(numbers % 3, numbers // 3)
        found.append(float(position_shares(recorded["long_range"][1]).position))
    assert stored["figures"]["generator.long_range/position_share"] == pytest.approx(found[0], abs=1e-6)
    assert abs(found[1] - found[0]) > 1e-3, "the live weights have another layout"


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


@pytest.mark.slow
def test_figures_depend_neither_on_batches_nor_on_the_number_of_processes(tmp_path: Path, few_tiles: Earth) -> None:
    first = run_test(tmp_path / "one", few_tiles)
    assert_same(first, run_test(tmp_path / "small", few_tiles, batch_size=3))
    run_in_two_processes(in_one_of_two_processes, tmp_path / "two", few_tiles)
    assert_same(first, json.loads((tmp_path / "two" / "layout_scores_test_0000000.json").read_text()))


def test_double_precision_is_measured(tmp_path: Path, few_tiles: Earth) -> None:
    """Metrics read their images themselves: the trainer does not convert them."""
    stored = written_by_a_test(
        tmp_path, earth_task(), earth_data(few_tiles), LayoutScores(images=4, segmenter_images=4), precision="64-true"
    )
    assert len(stored["layers"]) == 2


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

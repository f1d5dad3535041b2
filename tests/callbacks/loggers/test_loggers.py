"""What loggers leave on disk."""

import csv
import io
import logging
import warnings
from functools import partial
from pathlib import Path

import pytest
import torch
from PIL import Image
from pytorch_lightning.loggers import TensorBoardLogger

from callbacks import MetricsCSV, SampleGridLogger, SemanticLayoutLogger
from lit_an.errors import InputError
from lit_an.metrics.layout import degeneracy, layout_statistics, position_shares, symptoms
from lit_an.norms.recording import recorded_layouts
from tests.training import logged_rows, make_data, make_task, make_trainer


def pictures(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_grids_and_panels_at_their_iterations(tmp_path: Path, image_folder: Path) -> None:
    task = make_task()
    loggers = [TensorBoardLogger(tmp_path, name="", version=""), MetricsCSV(str(tmp_path))]
    callbacks = [
        SampleGridLogger(every_iterations=2, columns=4),
        SemanticLayoutLogger(every_iterations=2, images_per_row=1),
    ]
    make_trainer(tmp_path, task, 5, callbacks, logger=loggers).fit(task, datamodule=make_data(image_folder))
    iterations = [0, 1, 2, 4, 5]
    expected = [f"iteration_{iteration:07d}.png" for iteration in iterations]
    assert pictures(tmp_path / "samples") == ["history.webp", *expected]
    assert pictures(tmp_path / "layouts" / "long_range") == ["history.webp", *expected]
    for place in ("samples", "layouts/long_range"):
        assert len({Image.open(tmp_path / place / name).size for name in expected}) == 1, "they become an animation"

    with (tmp_path / "metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["layout/long_range/effective_regions"]]
    assert [int(row["step"]) for row in rows] == iterations
    for row in rows:
        assert sum(float(row[f"layout/long_range/usage/{region:02d}"]) for region in range(4)) == pytest.approx(1)
        assert 1 <= float(row["layout/long_range/effective_regions"]) <= 4

    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path), size_guidance={"images": 0}).Reload()
    for tag in ("samples", "layouts/long_range"):
        for event, name in zip(events.Images(tag), expected, strict=True):
            assert event.step == int(name[10:17])
            shown, written = Image.open(io.BytesIO(event.encoded_image_string)), Image.open(tmp_path / tag / name)
            assert shown.tobytes() == written.tobytes()
    (reals,) = events.Images("reals")
    assert Image.open(io.BytesIO(reals.encoded_image_string)).tobytes() == Image.open(tmp_path / "reals.png").tobytes()
    assert [event.step for event in events.Scalars("train/generator/adversarial")] == [1, 2, 3, 4, 5]


def test_a_norm_without_a_layout_says_so_once(
    tmp_path: Path, image_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    task = make_task(long_range="instance")
    with caplog.at_level(logging.INFO):
        callbacks = [SemanticLayoutLogger(every_iterations=1)]
        make_trainer(tmp_path, task, 3, callbacks).fit(task, datamodule=make_data(image_folder))
    assert caplog.text.count("no norm of this generator has a semantic layout") == 1
    assert not (tmp_path / "layouts").exists()


def test_recording_takes_its_hooks_away() -> None:
    task = make_task()
    latent, label = torch.randn(2, 8), torch.tensor([0, 1])
    with recorded_layouts(task.generator) as recorded:
        task.generator(latent, label)
    features, layout = recorded["long_range"]
    assert features.shape == (2, 8, 8, 8)
    assert layout.shape == (2, 4, 8, 8)
    recorded.clear()
    task.generator(latent, label)
    assert recorded == {}


def test_csv_goes_on_with_the_file_it_finds(tmp_path: Path) -> None:
    first = MetricsCSV(str(tmp_path))
    first.log_metrics({"a": 1.0}, step=1)
    first.log_metrics({"a": 2.0, "b": 3.0}, step=2)
    second = MetricsCSV(str(tmp_path))
    second.log_metrics({"c": 4.0}, step=3)
    with (tmp_path / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows == [
        {"step": "1", "a": "1.0", "b": "", "c": ""},
        {"step": "2", "a": "2.0", "b": "3.0", "c": ""},
        {"step": "3", "a": "", "b": "", "c": "4.0"},
    ]


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open() as file:
        return [{name: value for name, value in row.items() if value} for row in csv.DictReader(file)]


def test_a_figure_stands_once_at_an_iteration(tmp_path: Path) -> None:
    first = MetricsCSV(str(tmp_path))
    for step in (1, 2):
        first.log_metrics({"train": float(step)}, step=step)
        first.log_metrics({"val": 5.0, "fid": 1.0}, step=step)
    for _ in range(2):  # two calls of validate, at a checkpoint that is not the last
        MetricsCSV(str(tmp_path)).log_metrics({"val": 7.0}, step=1)
    assert sorted(rows(tmp_path), key=str) == [
        {"step": "1", "fid": "1.0"},
        {"step": "1", "train": "1.0"},
        {"step": "1", "val": "7.0"},
        {"step": "2", "train": "2.0"},
        {"step": "2", "val": "5.0", "fid": "1.0"},
    ]


def test_a_resumed_run_drops_what_came_after_its_checkpoint(tmp_path: Path, image_folder: Path) -> None:
    from callbacks import Checkpointing

    for iterations, checkpoint in ((5, None), (4, tmp_path / "checkpoints" / "iteration_0000002.ckpt")):
        task = make_task()
        logger = MetricsCSV(str(tmp_path))
        callbacks = [Checkpointing(every_iterations=2, keep=9)]
        trainer = make_trainer(tmp_path, task, iterations, callbacks, logger=logger, val_check_interval=2)
        trainer.fit(task, datamodule=make_data(image_folder), ckpt_path=checkpoint, weights_only=True)
    found = rows(tmp_path)
    assert [int(row["step"]) for row in found if "train/generator/adversarial" in row] == [1, 2, 3, 4]
    assert [int(row["step"]) for row in found if "val/generator/adversarial" in row] == [2, 4]


def test_a_row_that_a_kill_cut_short_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("step,a,b\n1,2.0,3.0\n2,4.")
    MetricsCSV(str(tmp_path)).log_metrics({"a": 5.0}, step=2)
    assert rows(tmp_path) == [{"step": "1", "a": "2.0", "b": "3.0"}, {"step": "2", "a": "5.0"}]


def test_intervals_below_one_are_refused() -> None:
    for callback in (SampleGridLogger, SemanticLayoutLogger):
        with pytest.raises(InputError, match="must be at least 1"):
            callback(every_iterations=0)
    with pytest.raises(InputError, match="measured_per_row at least images_per_row, got images_per_row=3"):
        SemanticLayoutLogger(images_per_row=3, measured_per_row=2)


def test_a_layout_that_stays_uniform_is_counted_and_said_once(tmp_path: Path, image_folder: Path) -> None:
    task = make_task()
    layout = task.generator.long_range.layout  # type: ignore[union-attr]
    with torch.no_grad():
        layout.entities.mul_(1e-6)
    logger = SemanticLayoutLogger(every_iterations=1, warn_after=2)
    loggers = [MetricsCSV(str(tmp_path))]
    with pytest.warns(
        UserWarning, match=r"the layout of long_range has been uniform for 2 iterations \(4.0 of 4 regions"
    ):
        make_trainer(tmp_path, task, 4, [logger], logger=loggers).fit(task, datamodule=make_data(image_folder))
    with (tmp_path / "metrics.csv").open() as file:
        column = [row["layout/long_range/degenerate_iterations"] for row in csv.DictReader(file)]
    assert [float(value) for value in column if value] == [0, 1, 2, 3, 4]

    other = SemanticLayoutLogger(every_iterations=1, warn_after=2)
    other.load_state_dict(logger.state_dict())
    uniform, parted = (
        symptoms(layout_statistics(layout, torch.zeros(1, 3, 2, 2)), None, position_shares(layout))
        for layout in (torch.full((1, 4, 2, 2), 0.25), torch.eye(4).view(1, 4, 2, 2))
    )
    assert other._watch("long_range", uniform, 11) == 11, "a resumed run goes on counting"
    assert other._watch("long_range", parted, 12) == 0
    assert other._watch("long_range", uniform, 13) == 0


def test_each_symptom_is_logged_and_said_once_of_a_layer_that_has_it(tmp_path: Path, image_folder: Path) -> None:
    """Two of four regions are never taken, and ρ is 0 at the start and learns nothing."""
    still = partial(torch.optim.SGD, lr=0.0)
    task = make_task(optimizer=still)
    layout = task.generator.long_range.layout  # type: ignore[union-attr]
    with torch.no_grad():  # of a filter and its opposite, one wins everywhere; centered, each somewhere
        layout.entities[0] *= 1e4
        layout.entities[1] = -layout.entities[0]
        layout.entities[2:] = 0
    layout.centered = True
    callbacks = [SemanticLayoutLogger(every_iterations=1, warn_after=2)]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        make_trainer(tmp_path, task, 5, callbacks, logger=[MetricsCSV(str(tmp_path))]).fit(  # type: ignore[arg-type]
            task, datamodule=make_data(image_folder)
        )
    said = [str(warning.message) for warning in caught if "the layout of long_range has been" in str(warning.message)]
    assert [sentence.split(" (")[0] for sentence in said] == [
        "the layout of long_range has been mostly dead for 2 iterations",
        "the layout of long_range has been without effect for 2 iterations",
    ]
    assert "2 of 4 regions have less than 0.1 of their even share" in said[0]
    assert all(sentence.endswith("see docs/layouts.md") for sentence in said)
    rows = logged_rows(tmp_path, "layout/long_range/")
    assert list(rows) == [0, 1, 2, 3, 4, 5]
    for row in rows.values():
        found = {name.removeprefix("layout/long_range/"): value for name, value in row.items()}
        assert found["dead_regions"] == 2
        assert found["residual_strength"] == 0
        assert 0 <= found["position_share"] <= 1
        assert found["degenerate_iterations"] == 0


@pytest.mark.parametrize(("usage", "expected"), [([1.0, 0.0], "one region"), ([0.5, 0.5], None)])
def test_one_region_is_no_map_either(usage: list[float], expected: str | None) -> None:
    layout = torch.zeros(1, 2, 1, 10)
    layout[0, 0, 0, : round(10 * usage[0])] = 1
    layout[0, 1] = 1 - layout[0, 0]
    assert degeneracy(layout_statistics(layout, torch.zeros(1, 3, 1, 10))) == expected


def test_the_first_pictures_come_early(tmp_path: Path, image_folder: Path) -> None:
    early_ones = [f"{iteration:07d}" for iteration in (0, 1, 2, 5, 10, 11)]
    for early, expected in ((True, early_ones), (False, ["0000011"])):
        folder, task = tmp_path / str(early), make_task()
        logger = SampleGridLogger(every_iterations=200, columns=1, rows=1, early=early)
        make_trainer(folder, task, 11, [logger]).fit(task, datamodule=make_data(image_folder))
        assert sorted(path.stem for path in folder.glob("samples/*.png")) == [f"iteration_{n}" for n in expected]
    due = [iteration for iteration in range(1, 16001) if SampleGridLogger(5000).is_due(iteration)]
    assert due == [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 15000]
    assert [n for n in range(1, 61) if SampleGridLogger(25).is_due(n)] == [1, 2, 5, 10, 20, 25, 50]
    assert [n for n in range(1, 61) if SampleGridLogger(25, early=False).is_due(n)] == [25, 50]

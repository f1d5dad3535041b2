"""Pictures and figures in each kind of logger, read back with its own tools; loggers that fail or are not known."""

import json
import logging
import struct
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from pytorch_lightning.loggers.logger import Logger

import cli
from callbacks import MetricsCSV, SampleGridLogger, SemanticLayoutLogger
from callbacks.loggers import loggers_of_run
from lit_an.errors import InputError
from tests.command_line.small_runs import ROOT, arguments, start
from tests.training import logged_rows, make_data, make_task, make_trainer

TAGS = {"samples", "layouts/long_range"}
COLUMN = "layout/long_range/effective_regions"
FIGURES = ("1_losses/adversarial_generator", "5_layouts/long_range_effective_regions")


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the packages leave in the environment goes again; nothing is sent anywhere."""
    values = {
        "WANDB_MODE": "offline",
        "WANDB_SILENT": "true",
        "COMET_START_ONLINE": "false",
        "COMET_DISABLE_AUTO_LOGGING": "1",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("LIT_AN_RUN_FOLDER", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def train(image_folder: Path, run_folder: Path, *more: str) -> None:
    """Two iterations, with pictures at the second."""
    assert cli.main(arguments(image_folder, run_folder, *more)) == 0


def overlay(name: str) -> str:
    return f"--config={ROOT}/configs/loggers/{name}.yaml"


def wandb_history(folder: Path) -> list[dict[str, Any]]:
    """What the file of a run has of its two iterations, once the process that writes it has come to their end."""
    (file,) = folder.glob("run-*.wandb")
    for _ in range(600):
        history = wandb_records(file)
        if any(FIGURES[1] in row for row in history):
            break
        time.sleep(0.1)
    return history


def wandb_records(file: Path) -> list[dict[str, Any]]:
    """The records of a file that hold figures: a log in the format of LevelDB, in blocks of 32 KiB."""
    from wandb.proto.wandb_internal_pb2 import Record

    content, place, parts, found = file.read_bytes(), 7, b"", []
    while place + 7 <= len(content):
        if 32768 - place % 32768 < 7:
            place += 32768 - place % 32768
            continue
        _, length, kind = struct.unpack("<IHB", content[place : place + 7])
        parts += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # the whole of a record, or its end
            record = Record.FromString(parts)
            parts = b""
            if record.WhichOneof("record_type") == "history":
                items = record.history.item
                found.append({"/".join(item.nested_key) or item.key: json.loads(item.value_json) for item in items})
    return found


def test_wandb(tmp_path: Path, image_folder: Path) -> None:
    wandb = pytest.importorskip("wandb", reason="the extra loggers is not installed")

    try:
        train(image_folder, tmp_path / "run", overlay("wandb"), "--trainer.logger.offline=true")
    finally:
        wandb.finish()
    (folder,) = (tmp_path / "run" / "wandb").glob("offline-run-*")
    history = wandb_history(folder)
    for tag in TAGS:
        rows = [row for row in history if f"{tag}/filenames" in row]
        assert [row["trainer/global_step"] for row in rows] == [0, 1, 2]
        for iteration, row in enumerate(rows):
            stored = (folder / "files" / row[f"{tag}/filenames"][0]).read_bytes()
            assert stored == (tmp_path / "run" / tag / f"iteration_{iteration:07d}.png").read_bytes()
    assert [row["trainer/global_step"] for row in history if FIGURES[0] in row] == [1, 2]
    assert [row["trainer/global_step"] for row in history if FIGURES[1] in row] == [0, 1, 2]


def test_mlflow(tmp_path: Path, image_folder: Path) -> None:
    mlflow = pytest.importorskip("mlflow", reason="the extra loggers is not installed")

    train(image_folder, tmp_path / "run", overlay("mlflow"))
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/run/mlflow.db")
    experiment = client.get_experiment_by_name("lit_an")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED"
    images = [Path(each.path).name for each in client.list_artifacts(run.info.run_id, "images")]
    for tag in TAGS:
        names = sorted(
            each.replace("%", "+") for each in images if each.endswith(".png") and tag.replace("/", "~") in each
        )
        assert len(names) == 3
        assert all(f"step+{iteration}+" in name for iteration, name in enumerate(names))
    assert [metric.step for metric in client.get_metric_history(run.info.run_id, FIGURES[0])] == [1, 2]
    assert [metric.step for metric in client.get_metric_history(run.info.run_id, FIGURES[1])] == [0, 1, 2]


def test_comet(tmp_path: Path, image_folder: Path) -> None:
    """Its own archive has each once, beside TensorBoard too."""
    comet_ml = pytest.importorskip("comet_ml", reason="the extra loggers is not installed")

    try:
        more = (overlay("comet"), "--trainer.logger.online=false", overlay("tensorboard"))
        train(image_folder, tmp_path / "run", *more)
    finally:
        comet_ml.end()
    (archive,) = (tmp_path / "run" / "comet").glob("*.zip")
    with zipfile.ZipFile(archive) as file:
        messages = [json.loads(line) for line in file.read("messages.json").splitlines()]
        pictures: dict[tuple[str, int], bytes] = {}
        for message in messages:
            payload = message["payload"]
            if message["type"] == "file_upload" and payload["upload_type"] == "visualization":
                about = payload["additional_params"]
                assert (about["figName"], about["step"]) not in pictures
                pictures[about["figName"], about["step"]] = file.read(payload["file_path"])
    run = tmp_path / "run"
    written = {(tag, n): (run / tag / f"iteration_{n:07d}.png").read_bytes() for tag in TAGS for n in range(3)}
    assert pictures == written | {("reals", 0): (run / "reals.png").read_bytes()}
    metrics = [message["payload"]["metric"] for message in messages if message["type"] == "metric_msg"]
    assert [metric["step"] for metric in metrics if metric["metricName"] == FIGURES[0]] == [1, 2]
    assert [metric["step"] for metric in metrics if metric["metricName"] == FIGURES[1]] == [0, 1, 2]


def test_several_at_once_and_the_csv_stays(tmp_path: Path, image_folder: Path) -> None:
    overlays = (overlay("tensorboard"), "--trainer.logger+=pytorch_lightning.loggers.CSVLogger")
    train(image_folder, tmp_path / "run", *overlays, "--trainer.logger.save_dir=./csv")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "run")).Reload()
    for tag in TAGS:
        assert [event.step for event in events.Images(tag)] == [0, 1, 2]
    assert [event.step for event in events.Scalars(FIGURES[1])] == [0, 1, 2]
    assert logged_rows(tmp_path / "run", COLUMN).keys() == {0, 1, 2}
    assert list((tmp_path / "run" / "csv").rglob("metrics.csv"))
    kept = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["trainer"]["logger"]
    assert [each["init_args"]["save_dir"] for each in kept] == [".", "./csv"], "it says nothing of where the run lay"


@pytest.mark.slow
def test_only_the_first_of_two_processes_logs(tmp_path: Path, image_folder: Path) -> None:
    pytest.importorskip("wandb", reason="the extra loggers is not installed")
    more = ["--trainer.devices=2", "--trainer.strategy=ddp", overlay("wandb"), "--trainer.logger.offline=true"]
    process = start(arguments(image_folder, tmp_path / "run", *more))
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    (folder,) = (tmp_path / "run" / "wandb").glob("offline-run-*")
    history = wandb_history(folder)
    for name in (*(f"{tag}/filenames" for tag in TAGS), FIGURES[1]):
        assert [row["trainer/global_step"] for row in history if name in row] == [0, 1, 2]
    assert [row["trainer/global_step"] for row in history if FIGURES[0] in row] == [1, 2]


def test_false_is_none_at_all(tmp_path: Path, image_folder: Path) -> None:
    train(image_folder, tmp_path / "run", "--trainer.logger=false")
    assert not (tmp_path / "run" / "metrics.csv").exists()
    assert (tmp_path / "run" / "samples" / "iteration_0000002.png").exists()


def test_check_opens_no_logger(
    tmp_path: Path, image_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [word for word in arguments(image_folder, tmp_path / "run", command="check") if "run_folder" not in word]
    lenient = ["--max_small=1", "--max_overlap=1", "--sample=2"]
    assert cli.main([*words, *lenient, overlay("mlflow")]) == 0, capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


class Broken(TensorBoardLogger):
    """Fails from the start, or once it is open."""

    calls = 0

    def __init__(self, folder: Path, at_start: bool = False) -> None:
        super().__init__(folder, name="", version="")
        self.at_start = at_start

    @property
    def experiment(self) -> Any:
        if self.at_start:
            raise ConnectionError("no route to host\nand more of it")
        return super().experiment

    def log_metrics(self, *args: Any, **kwargs: Any) -> None:
        type(self).calls += 1
        raise ConnectionError("no route to host")

    def finalize(self, status: str) -> None:
        raise ConnectionError("no route to host")


def test_a_logger_that_fails_ends_no_run(tmp_path: Path, image_folder: Path) -> None:
    task, Broken.calls = make_task(), 0
    loggers = loggers_of_run(Broken(tmp_path / "broken"), str(tmp_path))
    callbacks = [SampleGridLogger(every_iterations=2), SemanticLayoutLogger(every_iterations=2)]
    trainer = make_trainer(tmp_path, task, 4, callbacks, logger=loggers)
    with pytest.warns(UserWarning, match="Broken failed") as caught:
        trainer.fit(task, datamodule=make_data(image_folder))
    said = [str(warning.message) for warning in caught if "Broken failed" in str(warning.message)]
    assert len(said) == 1
    assert "(no route to host): the run continues" in said[0]
    assert (task.iteration, Broken.calls) == (4, 1), "a server that is gone is not waited for at each iteration"
    assert logged_rows(tmp_path, "train/generator/adversarial").keys() == {1, 2, 3, 4}


def test_a_logger_that_cannot_start_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Broken cannot start \(no route to host\); correct its settings"):
        loggers_of_run(Broken(tmp_path, at_start=True), str(tmp_path))


class OfSomeoneElse(Logger):
    """Of a kind that nobody has told how it takes pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[int | None] = []

    @property
    def name(self) -> str:
        return "else"

    @property
    def version(self) -> str:
        return "0"

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        if COLUMN in metrics:
            self.steps.append(step)

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None: ...


def test_an_unknown_logger_is_left_alone_with_one_line(
    tmp_path: Path, image_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    task, logger = make_task(), OfSomeoneElse()
    csv = CSVLogger(tmp_path, name="csv")
    callbacks = [SampleGridLogger(every_iterations=1), SemanticLayoutLogger(every_iterations=1)]
    with caplog.at_level(logging.INFO):
        trainer = make_trainer(tmp_path, task, 2, callbacks, logger=[logger, csv, MetricsCSV(str(tmp_path))])
        trainer.fit(task, datamodule=make_data(image_folder))
    assert caplog.text.count("OfSomeoneElse accepts no pictures") == 1
    assert "CSV" not in caplog.text
    assert logger.steps == [0, 1, 2]


def test_pictures_over_time_are_one_animation(tmp_path: Path, image_folder: Path) -> None:
    """After a resume too; not the pictures of a past that the run went back from."""
    from PIL import Image

    from callbacks import Checkpointing

    checkpoint = None
    for iterations in (4, 3):
        task = make_task()
        callbacks = [SampleGridLogger(every_iterations=1, columns=2), Checkpointing(every_iterations=2, keep=9)]
        trainer = make_trainer(tmp_path, task, iterations, callbacks)
        trainer.fit(task, datamodule=make_data(image_folder), ckpt_path=checkpoint, weights_only=True)
        checkpoint = tmp_path / "checkpoints" / "iteration_0000002.ckpt"
        with Image.open(tmp_path / "samples" / "history.webp") as animation:
            assert animation.n_frames == iterations + 1
        assert torch.load(checkpoint, weights_only=True)["state_dict"]["_extra_state"]["iteration"] == 2
    assert not list(tmp_path.rglob(".lit_an-*"))

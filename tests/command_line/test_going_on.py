"""Runs that are stopped, moved, resumed and repeated from the command line."""

import logging
import os
import shutil
import signal
import time
from pathlib import Path

import pytest
from omegaconf import OmegaConf

import cli
from tests.command_line.small_runs import arguments, load, start
from tests.training import logged_rows


def test_a_moved_run_goes_on_where_it_lies_and_its_config_makes_a_new_one(
    image_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert cli.main(arguments(image_folder, tmp_path / "old")) == 0
    moved = tmp_path / "moved"
    shutil.move(tmp_path / "old", moved)
    checkpoint = moved / "checkpoints" / "last.ckpt"
    # A config of an older version, which still says where its run lay.
    config = OmegaConf.load(moved / "config.yaml")
    assert not {"run_folder", "ckpt_path"} & set(config)
    config.run_folder = str(tmp_path / "old")
    OmegaConf.save(config, tmp_path / "older.yaml")
    caplog.set_level(logging.INFO)
    argv = [f"--config={tmp_path / 'older.yaml'}", f"--ckpt_path={checkpoint}"]
    assert cli.main(["fit", *argv, "--iterations=3", "--model.generator_optimizer.lr=0.01"]) == 0
    assert not (tmp_path / "old").exists()
    assert load(moved)["optimizer_states"][0]["param_groups"][0]["lr"] == 0.01  # type: ignore[index]
    assert "generator_optimizer.lr is 0.01 in the config and was 0.0004" in caplog.text
    assert sorted(logged_rows(moved, "train/generator")) == [1, 2, 3]

    # Again, with nothing left to train: said, and the run stays as it is.
    config_text = (moved / "config.yaml").read_text()
    with pytest.warns(UserWarning, match="already at 3 of 3 iterations, so nothing is left to train"):
        assert cli.main(["fit", *argv, "--iterations=3"]) == 0
    assert (moved / "config.yaml").read_text() == config_text

    # Two validations of the run stand once in its table.
    for _ in range(2):
        assert cli.main(["validate", f"--config={moved / 'config.yaml'}", f"--ckpt_path={checkpoint}"]) == 0
    lines = (moved / "metrics.csv").read_text().splitlines()
    column = lines[0].split(",").index("val/generator/adversarial")
    assert [line.split(",")[0] for line in lines[1:] if line.split(",")[column]] == ["2", "3"]

    # A new run from the config of the resumed one.
    assert cli.main(["fit", f"--config={moved / 'config.yaml'}", f"--run_folder={tmp_path / 'new'}"]) == 0
    assert sorted(logged_rows(tmp_path / "new", "train/generator")) == [1, 2, 3]


def test_a_whole_number_limits_batches_and_a_fraction_the_share(image_folder: Path, tmp_path: Path) -> None:
    for written in ("1", "1.0"):
        more = [f"--trainer.limit_val_batches={written}", "--iterations=1", "--trainer.logger=false"]
        assert cli.main(arguments(image_folder, tmp_path / written, *more)) == 0
        text = (tmp_path / written / "config.yaml").read_text()
        assert f"limit_val_batches: {written}\n" in text


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_a_signal_to_all_processes_of_a_run_saves(number: int, image_folder: Path, tmp_path: Path) -> None:
    """As schedulers and terminals send it: to the loader processes too."""
    folder = tmp_path / "run"
    argv = arguments(image_folder, folder, "--iterations=100000", "--data.num_workers=2")
    process = start(argv, start_new_session=True)
    deadline = time.monotonic() + 300
    while not (folder / "metrics.csv").exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    os.killpg(process.pid, number)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 128 + number, output
    assert "Traceback" not in output
    assert load(folder)["state_dict"]["_extra_state"]["iteration"] > 0  # type: ignore[index]
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:  # none is left
            return
        time.sleep(0.2)
    raise AssertionError("a loader process outlives its run")

"""How exact float32 is: an option of the trainer, for training and evaluation alike."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import yaml

import cli
from lit_an.command_line.trainer_arguments import RunTrainer
from tests.command_line.small_runs import arguments


def now() -> tuple[str, bool]:
    return torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32


@pytest.fixture(autouse=True)
def precision_of_before() -> Iterator[None]:
    before = now()
    yield
    torch.set_float32_matmul_precision(before[0])
    torch.backends.cudnn.allow_tf32 = before[1]


def test_products_and_convolutions_are_set(tmp_path: Path) -> None:
    before = now()
    RunTrainer(accelerator="cpu", default_root_dir=tmp_path)
    assert now() == before, "the default leaves what PyTorch has"
    for precision, tf32 in (("high", True), ("medium", True), ("highest", False)):
        RunTrainer(accelerator="cpu", default_root_dir=tmp_path, float32_matmul_precision=precision)  # type: ignore[arg-type]
        assert now() == (precision, tf32)


def test_a_run_records_it_and_its_evaluation_has_it_too(
    image_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.INFO)
    folder, option = tmp_path / "run", "--trainer.float32_matmul_precision"
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments(image_folder, folder, f"{option}=exact"))
    assert ended.value.code == 2
    assert "float32_matmul_precision" in capsys.readouterr().err
    assert not folder.exists()
    assert cli.main(arguments(image_folder, folder, f"{option}=high")) == 0
    assert "float32 products and convolutions: high precision" in caplog.text
    assert yaml.safe_load((folder / "config.yaml").read_text())["trainer"]["float32_matmul_precision"] == "high"
    torch.set_float32_matmul_precision("highest")
    monkeypatch.delenv("LIT_AN_RUN_FOLDER")
    assert cli.main(["validate", f"--ckpt_path={folder}"]) == 0
    assert now() == ("high", True)

"""Odd options and config files to ``fit``: the run is made, or one sentence says why not."""

import os
import shutil
import warnings
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import event, given
from hypothesis import strategies as st

import cli
from tests.command_line.small_runs import arguments
from tests.fuzz.bounds import bounded
from tests.fuzz.odd_options import TREES, options, values_of

GIB = 1 << 30
SENTENCES = (2, 3)  # exit codes that come with one


@pytest.fixture(scope="module")
def config(image_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The values of a real run's config, by dotted key."""
    folder = tmp_path_factory.mktemp("config") / "run"
    assert cli.main(arguments(image_folder, folder, "--iterations=1")) == 0
    return dict(values_of(yaml.safe_load((folder / "config.yaml").read_text())))


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An odd option may name a folder: it is made here."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))


def ends_well(argv: list[str], folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Runs a command in a folder of its own; what it says must be a result or a sentence."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("LIT_AN_RUN_FOLDER", "LIT_AN_CHECKPOINT"):
        os.environ.pop(name, None)
    capfd.readouterr()
    with bounded(100, 6 * GIB), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            code: Any = cli.main(argv)
        except SystemExit as exit:
            code = exit.code or 0
    event(f"exit code {code}")  # counted by --hypothesis-show-statistics
    said = capfd.readouterr().err
    shutil.rmtree(folder, ignore_errors=True)
    assert code in (0, *SENTENCES), said
    assert "Traceback" not in said
    lines = [line for line in said.splitlines() if line.startswith("error: ")]
    assert len(lines) == (code in SENTENCES), said
    assert all(len(line) > len("error: x") for line in lines)


@given(data=st.data())
def test_odd_options(
    data: st.DataObject,
    config: dict[str, Any],
    image_folder: Path,
    tmp_path_factory: Any,
    capfd: pytest.CaptureFixture[str],
) -> None:
    odd = data.draw(options(config))
    folder = tmp_path_factory.getbasetemp() / "odd_run"
    small = ["--iterations=1", "--trainer.limit_val_batches=0"]
    ends_well(arguments(image_folder, folder, *small, *odd), folder, capfd)


@given(tree=TREES, text=st.none() | st.binary(max_size=80))
def test_odd_config_files(
    tree: Any, text: bytes | None, image_folder: Path, tmp_path_factory: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    base = tmp_path_factory.getbasetemp()
    overlay = base / "overlay.yaml"
    overlay.write_bytes(yaml.safe_dump(tree, allow_unicode=True).encode() if text is None else text)
    argv = arguments(image_folder, base / "odd_run", "--iterations=1", f"--config={overlay}")
    ends_well(argv, base / "odd_run", capfd)

"""``sample``, ``inpaint`` and ``demo`` without a checkpoint; real processes, and the package stays as it was."""

import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cli
from lit_an.showcase.models import SHOWCASE, showcase
from tests.commands.photographs_with_holes import mask_of, photograph
from tests.served_pages import served
from tests.training import free_port

ROOT = Path(__file__).parents[2]


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def run(folder: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    """A command as somebody types it in a folder of their own; the package stays as it was."""
    before = files(SHOWCASE)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(ROOT / "cli.py"), *argv]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert files(SHOWCASE) == before
    return done


def test_sample(tmp_path: Path) -> None:
    done = run(tmp_path, "sample", "--samples_per_class=1", "--columns=2")
    (line,) = [line for line in done.stderr.splitlines() if "--ckpt_path" in line]
    assert line.startswith("Without --ckpt_path, this uses the class-conditional generator that comes with lit_an, ")
    assert line.endswith("; --ckpt_path RUN_FOLDER takes your own")
    assert str(showcase("class_conditional") / "README.md") in line
    assert "The samples are in predictions/showcase_class_conditional" in done.stdout
    (folder,) = tmp_path.iterdir()
    with Image.open(folder / "showcase_class_conditional" / "desert" / "00000.png") as image:
        assert image.size == (64, 64)


def test_inpaint(tmp_path: Path) -> None:
    original = photograph()
    original.save(tmp_path / "a.png")
    mask_of().save(tmp_path / "a_mask.png")
    done = run(tmp_path, "inpaint", "--images=a.png", "--masks=a_mask.png")
    assert "this uses the inpainting generator that comes with lit_an" in done.stderr
    assert "The pictures are in predictions/showcase_inpainting: 1 made" in done.stdout
    with Image.open(tmp_path / "predictions/showcase_inpainting/composite/a.png") as image:
        after = np.asarray(image.convert("RGB"))
    before, known = np.asarray(original.convert("RGB")), np.asarray(mask_of()) == 0
    assert np.array_equal(after[known], before[known])
    assert not np.array_equal(after[~known], before[~known])


def test_what_is_named_by_its_path_is_written_to_nowhere_in_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = files(SHOWCASE)
    for path in (showcase("class_conditional"), showcase("class_conditional") / "generator.json"):
        assert cli.main(["sample", f"--ckpt_path={path}", "--samples_per_class=1", "--write=[png]"]) == 0
        assert cli.main(["export", f"--ckpt_path={path}", "--formats=[safetensors]"]) == 0
    assert files(SHOWCASE) == before
    assert {path.name for path in tmp_path.iterdir()} == {"predictions", "export"}


def test_other_settings_go_to_other_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    argv = ["sample", "--samples_per_class=1", "--write=[png]", "--classes=[desert]"]
    assert cli.main(argv) == cli.main([*argv, "--truncation=0.5", "--statistics=batch"]) == 0
    names = {"showcase_class_conditional", "showcase_class_conditional_truncation_0.5_batch"}
    assert {path.name for path in (tmp_path / "predictions").iterdir()} == names


def test_demo_serves_its_page_without_lightning(tmp_path: Path) -> None:
    pytest.importorskip("gradio", reason="the extra demo is not installed")
    # What was imported is told when the process ends.
    (tmp_path / "sitecustomize.py").write_text(
        "import atexit, os, sys\n"
        "names = ('pytorch_lightning', 'lightning', 'torchmetrics')\n"
        "tell = lambda: print('imported', [name for name in names if name in sys.modules], flush=True)\n"
        "'LIT_AN_TELL' in os.environ and atexit.register(tell)\n"
    )
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "LIT_AN_TELL": "1"}
    options = ("--device=cpu", f"--port={free_port()}")
    with served(*options, ends_with="imported []\n", cwd=tmp_path, env=environment) as (address, printed):
        for task in ("inpainting", "class-conditional"):
            assert f"this uses the {task} generator that comes with lit_an" in printed
        with urllib.request.urlopen(address, timeout=120) as answer:
            assert answer.status == 200


def test_without_safetensors_a_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    for argv in (["sample"], ["inpaint", f"--images={tmp_path}", "--color_key=red"]):
        assert cli.main(argv) == 2
        said = capsys.readouterr().err
        assert "needs the package safetensors, " in said
        assert "; pip install 'lit_an[showcase]'" in said
    assert list(tmp_path.iterdir()) == []

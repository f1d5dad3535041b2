"""``python cli.py prepare_masks``, as a person uses it."""

import json
from pathlib import Path

import pytest

import cli
from lit_an.masks import MaskFiles


def test_a_set_is_made_and_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "masks"
    command = ["prepare_masks", "--shape=lit_an.masks.Strokes", "--shape.thickness=thick", "--shape.max_share=1"]
    command += [f"--out={out}", "--image_size=32", "--per_bin=2"]
    assert cli.main(command) == 0
    said = capsys.readouterr().out
    assert said.startswith("00-10 %      2 masks\n")
    manifest = json.loads((out / "manifest.json").read_text())
    assert f"content hash {manifest['content_hash']}, {manifest['draws']} draws\n" in said
    assert f"init_args: {{folder: {out}}}" in said
    assert len(MaskFiles(str(out))) == 12
    assert cli.main([*command, "--seed=1"]) == 2
    error = capsys.readouterr().err
    assert "holds masks made with another seed" in error
    assert error.count("\n") == 1


def test_mixtures_and_bins_are_given_as_json(tmp_path: Path) -> None:
    shapes = '[{"class_path": "lit_an.masks.Rectangle"}, {"class_path": "lit_an.masks.FreeForm"}]'
    command = ["prepare_masks", "--shape=lit_an.masks.Mixture", f"--shape.shapes={shapes}", '--bins=["10-20","20-30"]']
    assert cli.main([*command, f"--out={tmp_path}", "--image_size=32", "--per_bin=1"]) == 0
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert [shape["class"].split(".")[-1] for shape in manifest["shape"]["shapes"]] == ["Rectangle", "FreeForm"]
    assert sorted(manifest["files"]) == ["10-20/00000.png", "20-30/00000.png"]


def test_a_shape_out_of_reach_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["prepare_masks", "--shape=lit_an.masks.Center", f"--out={tmp_path}", "--image_size=16", "--max_draws=20"]
    assert cli.main(command) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: prepare_masks: in 20 draws in a row Center(height=0.5, width=0.5) gave no hole of")
    assert error.count("\n") == 1

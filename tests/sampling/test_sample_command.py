"""``sample`` and ``export`` on the command line, with a checkpoint and its run folder's config alone."""

import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

import cli
from lit_an.sampling import load_exported, load_generator, sample, standing_statistics
from lit_an.trained.checkpoints import weights_hash
from tests.killed_runs import kill_once_written


@pytest.fixture
def away(run: Path, tmp_path: Path) -> Path:
    """The run in another place, its data gone: what is left on the machine of somebody who got a run folder."""
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    shutil.copy(run / "checkpoints" / "last.ckpt", tmp_path / "run" / "checkpoints")
    text = (run / "config.yaml").read_text()
    root = next(line for line in text.splitlines() if line.strip().startswith("root: "))
    moved = root.partition("root: ")[0] + "root: /no/such/folder"
    (tmp_path / "run" / "config.yaml").write_text(text.replace(root, moved))
    return tmp_path / "run"


def last(run_folder: Path) -> str:
    return f"--ckpt_path={run_folder / 'checkpoints' / 'last.ckpt'}"


def files(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def said(capsys: pytest.CaptureFixture[str]) -> str:
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    return line


def test_sample_needs_the_checkpoint_alone(away: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write = "--write=[png,npz,sheet,latents,classes,layouts]"
    assert cli.main(["sample", last(away), write, "--samples_per_class=2", "--columns=3", "--batch_size=4"]) == 0
    folder = away / "predictions" / "iteration_0000002"
    assert str(folder) in capsys.readouterr().out
    images = {f"{name}/0000{seed}.png" for name in ("blue", "green", "red") for seed in (0, 1)}
    pictures = {"sheet.png", "latents.png", "classes.png", "layouts_long_range.png"}
    assert set(files(folder)) == images | pictures | {"samples_6.npz", "settings.json"}


def test_sample_truncates_chooses_classes_and_statistics_in_folders_of_their_own(away: Path) -> None:
    more = ["--write=[npz]", "--samples_per_class=3", "--first_seed=7", "--truncation=0.5", "--classes=[red,blue]"]
    assert cli.main(["sample", last(away), *more, "--statistics=standing", "--standing_passes=2"]) == 0
    (folder,) = (away / "predictions").iterdir()
    assert folder.name == "iteration_0000002_truncation_0.5_standing"
    with np.load(folder / "samples_6.npz") as arrays:
        assert arrays["arr_1"].tolist() == [2, 0] * 3
        assert arrays["seed"].tolist() == [7, 7, 8, 8, 9, 9]
        written = arrays["arr_0"]
    generator = load_generator(away / "checkpoints" / "last.ckpt")
    standing_statistics(generator, truncation=0.5, passes=2)
    images = sample(generator, [2, 0] * 3, [7, 7, 8, 8, 9, 9], truncation=0.5)
    assert np.abs(written - ((images.permute(0, 2, 3, 1).numpy() + 1) * 127.5)).max() <= 0.51


def test_sample_with_the_data_finds_neighbors(run: Path, tmp_path: Path) -> None:
    assert cli.main(["sample", last(run), "--write=[neighbors]", f"--output={tmp_path / 'out'}"]) == 0
    assert set(files(tmp_path / "out")) == {"neighbors.png", "settings.json"}


def test_an_explicit_config_wins(away: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = away / "config.yaml"
    other = away / "other.yaml"
    other.write_text(good.read_text().replace("base_width: 2", "base_width: 4"))
    assert cli.main(["sample", last(away), f"--config={other}"]) == 2
    assert "the weights are of another architecture" in said(capsys)
    shutil.move(good, away / "moved.yaml")
    assert cli.main(["sample", last(away)]) == 2
    assert "there is no config.yaml in its run folder; name the run's config with --config" in said(capsys)
    assert cli.main(["sample", last(away), f"--config={away / 'moved.yaml'}", "--samples_per_class=1"]) == 0


BAD_INPUT = {
    "checkpoint": (["--ckpt_path=/no/such.ckpt"], "/no/such.ckpt: there is no such file"),
    "class": (["--classes=[rde]"], "unknown class 'rde', did you mean 'red'? Known: blue, green, red"),
    "device": (["--device=tpu9"], "--device tpu9 is not available on this machine; choose cpu"),
    "samples": (["--samples_per_class=0"], "samples_per_class must be at least 1"),
    "batch": (["--batch_size=0"], "batch_size must be at least 1"),
    "shard": (["--shard=2", "--shards=2"], "0 ≤ shard < shards, got 64, 2, 2"),
    "passes": (["--statistics=standing", "--standing_passes=0"], "standing statistics need at least 1 pass"),
    "columns": (["--columns=1"], "columns must be at least 2"),
    "seed": ([f"--first_seed={2**63 - 15}"], f"seeds must be 64-bit integers, got first_seed {2**63 - 15}"),
    "nothing": (["--write=[]"], "--write is an empty list, so that nothing would be made"),
    "truncation": (["--truncation=0"], "truncation must be greater than 0, got 0"),
    "data": (["--write=[neighbors]"], "/no/such/folder"),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_gets_one_sentence(case: str, away: Path, capsys: pytest.CaptureFixture[str]) -> None:
    more, sentence = BAD_INPUT[case]
    assert cli.main(["sample", *([] if case == "checkpoint" else [last(away)]), *more]) == 2
    assert sentence in said(capsys)
    assert case in ("data", "passes") or not (away / "predictions").exists(), "nothing is left behind"


def test_samples_of_other_weights_are_not_mixed(away: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = f"--output={away / 'out'}"
    assert cli.main(["sample", last(away), out, "--samples_per_class=1"]) == 0
    assert cli.main(["sample", last(away), out, "--truncation=1"]) == 2
    assert "holds other samples (truncation None, now 1.0); name another folder with --output" in said(capsys)


def test_killed_and_run_again_the_files_are_those_of_a_run_in_one_go(away: Path) -> None:
    """A real process, killed without a chance to tidy up."""
    more = ["--write=[png,npz]", "--samples_per_class=200", "--batch_size=8", "--device=cpu"]
    broken = away / "broken"
    argv = ["sample", last(away), *more, f"--output={broken}"]
    kill_once_written(argv, broken / "red" / "00020.png")
    finished = {path: path.stat().st_mtime_ns for path in broken.glob("*/*.png") if not path.name.startswith(".")}
    assert 50 < len(finished) < 600
    assert not (broken / "samples_600.npz").exists()

    assert cli.main(argv) == 0
    assert cli.main(["sample", last(away), *more, f"--output={away / 'whole'}"]) == 0
    assert files(broken) == files(away / "whole")
    assert len(files(broken)) == 600 + 2
    kept = [path for path, time_ns in finished.items() if path.stat().st_mtime_ns == time_ns]
    assert len(kept) >= len(finished) - 8, "all but the batch that was being written"


def test_export_writes_all_formats_and_sample_reads_them(
    away: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["export", last(away), "--statistics=standing", "--standing_passes=2"]) == 0
    folder = away / "export"
    names = {"generator.json", "generator.safetensors", "generator.pt2", "generator.onnx"}
    assert set(files(folder)) == names
    assert capsys.readouterr().out.count("images differ by") == 2
    exported, trained = load_exported(folder), load_generator(away / "checkpoints" / "last.ckpt")
    assert exported.description.statistics == "standing"
    assert weights_hash(exported.network.state_dict()) != weights_hash(trained.network.state_dict())
    standing_statistics(trained, passes=2)
    assert weights_hash(exported.network.state_dict()) == weights_hash(trained.network.state_dict())
    out = tmp_path / "out"
    argv = ["sample", f"--ckpt_path={folder}", "--samples_per_class=1", "--write=[png]", f"--output={out}"]
    assert cli.main(argv) == 0
    assert len(list(out.glob("*/*.png"))) == 3


def test_truncation_of_an_export_is_that_of_standing_statistics(away: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["export", last(away), "--truncation=0.5", "--formats=[safetensors]"]) == 2
    assert "add --statistics standing, or omit --truncation" in said(capsys)
    assert not (away / "export").exists()


def test_export_says_which_extra_it_needs(
    away: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert cli.main(["export", last(away), "--formats=[onnx]"]) == 2
    assert re.search(r"needs the package onnxruntime, .*; pip install 'lit_an\[export\]'", said(capsys))
    assert not (away / "export").exists() or files(away / "export") == {}

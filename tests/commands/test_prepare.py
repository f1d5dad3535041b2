"""``python cli.py prepare`` and what comes after it, as a person uses them."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import cli
from lit_an.data.sources import Earth
from tests.photo_folders import make_photographs
from tests.photographs import add_odd_but_sound, break_some, make_imagenet

ROOT = Path(__file__).parent.parent.parent
SMALL_CLASSES = str(ROOT / "configs/class_conditional/earth32_pixels.yaml")


def prepare(source: Path | str, out: Path, *more: str) -> list[str]:
    return ["prepare", f"--source={source}", f"--out={out}", "--image_size=32", "--num_workers=2", *more]


def of_imagenet(root: Path, out: Path, *more: str) -> list[str]:
    """With arguments of the source, which a folder alone does not take."""
    return prepare("lit_an.data.sources.ImageNet", out, f"--source.root={root}", *more)


def tiny(root: Path) -> list[str]:
    """A small config at width 2, on shards."""
    return [
        f"--config={SMALL_CLASSES}",
        "--model.generator.base_width=2",
        "--model.generator.num_classes=3",
        "--model.discriminator.base_width=2",
        "--data.source=lit_an.data.sources.Prepared",
        f"--data.source.root={root}",
        "--data.batch_size=4",
    ]


def content_hash(printed: str) -> str:
    (line,) = [line for line in printed.splitlines() if line.startswith("content hash ")]
    return line


def test_a_folder_with_broken_files_goes_through_prepare_check_and_fit(
    imagenet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Shows 2."""
    broken, odd = break_some(imagenet), add_odd_but_sound(imagenet)
    out = tmp_path / "shards"
    assert cli.main(prepare(imagenet, out, "--max_failed=0.1")) == 0
    said = capsys.readouterr().out
    assert f"train {36 + len(odd):8} images, 1 shards" in said
    assert f"{len(broken)} unreadable, 0 passed over" in said
    assert cli.main(["check", *tiny(out), "--sample=all"]) == 0
    assert capsys.readouterr().out.endswith("\ngo\n")
    run = ["fit", *tiny(out), f"--run_folder={tmp_path / 'run'}", "--iterations=2", "--trainer.limit_val_batches=1"]
    assert cli.main(run) == 0
    assert (tmp_path / "run" / "checkpoints" / "last.ckpt").exists()


def test_above_the_threshold_it_says_no(imagenet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    break_some(imagenet)
    assert cli.main(prepare(imagenet, tmp_path / "out", "--max_failed=0")) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: 4 of 52 images cannot be read, more than max_failed=0.0 allows")
    assert error.count("\n") == 1


def test_bad_input_ends_with_2(imagenet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(prepare(tmp_path / "nowhere", tmp_path / "out")) == 2
    assert "does not exist" in capsys.readouterr().err
    assert cli.main(prepare("lit_an.data.sources.ImageNets", tmp_path / "out")) == 2
    assert "there is neither a folder nor a class 'lit_an.data.sources.ImageNets'" in capsys.readouterr().err
    assert cli.main(of_imagenet(imagenet, tmp_path / "out", "--source.classes=9")) == 2
    assert "classes must be between 2 and 3, the classes there are, got 9" in capsys.readouterr().err


@pytest.mark.parametrize("out", [".", "shards", "deep/shards"])
def test_shards_do_not_go_into_their_source(imagenet: Path, out: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(imagenet.rglob("*"))
    assert cli.main(prepare(imagenet, imagenet / out)) == 2
    assert "lies in the source" in capsys.readouterr().err
    assert sorted(imagenet.rglob("*")) == before


def test_a_folder_may_be_called_like_a_source(
    imagenet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    imagenet.rename("Photographs")
    assert cli.main(prepare("Photographs", tmp_path / "out")) == 0
    assert "train       36 images" in capsys.readouterr().out


def test_a_subset_of_classes(imagenet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(of_imagenet(imagenet, tmp_path / "out", '--source.classes=["n01484850","n01440764"]')) == 0
    assert f"train {24:8} images" in capsys.readouterr().out


def test_a_killed_preparation_goes_on_to_the_same_hash(
    few_tiles: Earth, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Shows 2, in a real process: SIGKILL when the first shards are there."""
    source = make_imagenet(tmp_path / "imagenet", few_tiles, train=60, val=8)
    break_some(source)
    options = ("--images_per_shard=1", "--max_failed=0.1")
    assert cli.main(prepare(source, tmp_path / "whole", *options)) == 0
    expected = content_hash(capsys.readouterr().out)

    out = tmp_path / "out"
    arguments = [sys.executable, str(ROOT / "cli.py"), *prepare(source, out, *options)]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while len(list(out.glob(".finished/*.json"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.002)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    # Its workers end with it: the pipe does when the last process that holds it is gone.
    assert process.stdout is not None
    assert process.stdout.read() == b""
    assert not (out / "manifest.json").exists()
    finished = list(out.glob("*/*.arrow"))
    assert 1 <= len(finished) < 200

    assert cli.main(prepare(source, out, *options)) == 0
    assert content_hash(capsys.readouterr().out) == expected
    assert len(list(out.glob(".finished/*.json"))) == 3 * (60 + 8) + 4
    for whole in (tmp_path / "whole").glob("*/*.arrow"):
        assert (out / whole.relative_to(tmp_path / "whole")).read_bytes() == whole.read_bytes()
    assert not list(out.rglob(".lit_an-*"))


def test_photographs_without_classes_go_through_prepare_and_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, out = make_photographs(tmp_path / "photographs"), tmp_path / "my shards"
    source = ("lit_an.data.sources.Photographs", out, f"--source.root={root}", "--source.val_fraction=0.3")
    assert cli.main(prepare(*source)) == 0
    said = capsys.readouterr().out
    assert f"use it: --data.source lit_an.data.sources.Prepared --data.source.root '{out}'\n" in said
    task = "--model=tests.commands.one_convolution.TinyInpainting"
    data = [
        "--data=lit_an.data.InpaintingData",
        "--data.source=lit_an.data.sources.Prepared",
        f"--data.source.root={out}",
        "--data.image_size=32",
    ]
    assert cli.main(["check", task, *data]) == 0
    assert capsys.readouterr().out.endswith("\ngo\n")
    assert cli.main(prepare(*source, "--source.val_list=nowhere.txt")) == 2
    assert "the list 'nowhere.txt' is not there" in capsys.readouterr().err

"""``python cli.py check``: what is left out, links that lead nowhere, shards, and what callbacks need."""

from pathlib import Path

import pytest

from lit_an.data.preparation import plan_of, prepare
from lit_an.data.shards.manifest import Recipe
from lit_an.data.sources import ImageNet
from tests.commands.test_check import check, lines
from tests.photographs import WNIDS

METRICS = ("--trainer.callbacks+=callbacks.GenerationMetrics", "--trainer.callbacks.extractor=efficientnet_lite0")


def test_what_is_left_out_is_a_note(imagenet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a.heic", "b.heic", "c.txt"):
        (imagenet / "train" / WNIDS[0] / name).touch()
    assert check(imagenet) == 0
    found = lines(capsys)
    text = f"in {str(imagenet / 'train')!r} 3 files are no images by their endings (2 .heic, 1 .txt)"
    assert found["train files"] == ("note", text)
    assert "val files" not in found


def test_a_dangling_link_is_an_unusable_image(imagenet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for split in ("train", "val"):
        (imagenet / split / WNIDS[0] / "gone.JPEG").symlink_to("/nowhere/gone.JPEG")
    assert check(imagenet) == 1
    verdict, text = lines(capsys)["val images"]
    assert (verdict, "1 unusable: the image " in text, "gone.JPEG' cannot be read" in text) == ("problem", True, True)


def test_damaged_shards_are_found(imagenet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shards = tmp_path / "shards"
    prepare(plan_of(ImageNet(imagenet), 32), shards, Recipe(32, images_per_shard=20))
    assert check(shards, "--data.source=lit_an.data.sources.Prepared") == 0
    assert lines(capsys)["shards"] == ("ok", "all match the manifest")
    path = shards / "train" / "00001.arrow"
    damaged = bytearray(path.read_bytes())
    damaged[-9] ^= 1
    path.write_bytes(damaged)
    # One image of the sample is looked at, not the damaged one.
    assert check(shards, "--data.source=lit_an.data.sources.Prepared", "--sample=1") == 1
    text = f"1 are damaged: {path}; prepare again, which remakes only these"
    assert lines(capsys)["shards"] == ("problem", text)


def test_callbacks_say_what_they_need(imagenet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("efficientnet_lite_pytorch")
    assert check(imagenet, *METRICS) == 0
    assert lines(capsys)["measuring"] == ("ok", "GenerationMetrics has the data it needs")
    assert check(imagenet, *METRICS, "--trainer.callbacks.images_per_class=real") == 0
    lines(capsys)
    for path in (imagenet / "val" / WNIDS[1]).glob("*_00[1-9]*"):
        path.unlink()
    assert check(imagenet, *METRICS, "--trainer.callbacks.images_per_class=real") == 1
    verdict, text = lines(capsys)["measuring"]
    assert verdict == "problem"
    assert text.startswith("GenerationMetrics: images_per_class='real', but class 1 has 1 real images, fewer than 2")
    assert check(imagenet, *METRICS, "--trainer.devices=20", "--trainer.limit_val_batches=0") == 0
    assert "measuring" not in lines(capsys)
    assert check(imagenet, *METRICS, "--trainer.devices=20") == 1
    assert lines(capsys)["measuring"][1].endswith("the split 'val' has 9 images, too few to measure with; add images")

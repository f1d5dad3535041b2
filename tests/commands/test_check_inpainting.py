"""``python cli.py check`` of data for inpainting: holes instead of labels."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import cli
from callbacks import Checkpointing, InpaintingMetrics
from lit_an.batch import InpaintingBatch
from lit_an.commands import check as check_tool
from lit_an.data import ClassData, InpaintingData
from lit_an.data.inspection import inspect
from lit_an.data.preparation import plan_of, prepare
from lit_an.data.shards.manifest import Recipe
from lit_an.data.sources import Earth, Photographs, Prepared
from lit_an.masks.base import HoleShape
from tests.commands.one_convolution import TinyInpainting
from tests.photo_folders import make_photographs
from tests.training import make_task

CONFIG = """
trainer: {accelerator: cpu}
model: {class_path: tests.commands.one_convolution.TinyInpainting}
data:
  class_path: lit_an.data.InpaintingData
  init_args:
    source: {class_path: lit_an.data.sources.Photographs, init_args: {val_fraction: 0.3}}
    image_size: 16
    mask: {class_path: lit_an.masks.Rectangle, init_args: {height: 0.25, width: 0.25, max_shrink: 0.0}}
    val_mask: {class_path: lit_an.masks.Center}
"""


class Everything(HoleShape):
    """A shape that breaks its promise."""

    def paint(self, height: int, width: int, seed: int, index: int | None) -> np.ndarray:
        return np.ones((height, width), dtype=bool)

    def draw(self, height: int, width: int, seed: int, index: int | None = None) -> torch.Tensor:
        return torch.from_numpy(self.paint(height, width, seed, index).astype(np.float32))[None]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_photographs(tmp_path / "photographs")


def check(root: Path, *more: str) -> int:
    config = root.parent / "config.yaml"
    config.write_text(CONFIG)
    return cli.main(["check", f"--config={config}", f"--data.source.root={root}", *more])


def lines(capsys: pytest.CaptureFixture[str]) -> dict[str, tuple[str, str]]:
    """Verdict and text of each subject."""
    table = capsys.readouterr().out.split("\n\n")[0].splitlines()
    return {line[9:27].strip(): (line[:8].strip(), line[28:]) for line in table}


def test_a_sound_folder_is_a_go(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(root, "--data.num_workers=1") == 0
    found = lines(capsys)
    assert {verdict for verdict, _ in found.values()} == {"ok"}
    assert found["train holes"][1] == "6% … 6% of an image, 6% on average"
    assert found["val holes"][1] == "25% … 25% of an image, 25% on average"
    assert found["test"][1] == "is val"
    assert found["image size"][1] == "16 px in the data"
    assert found["train and val"][1].startswith("0 of ")
    assert not {"classes", "train labels", "kind of data"} & set(found)
    assert "estimated" in found["memory"][1]


def test_broken_small_and_doubled_images(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = InpaintingData(Photographs(root, val_fraction=0.3), 16)
    first, second = data.dataset("train").file(0), data.dataset("val").file(0)
    assert first is not None
    assert second is not None
    shutil.copy(first, second)
    (root / data.name("train", 1)).write_bytes(b"no image")
    assert check(root, "--data.image_size=40") == 1
    found = lines(capsys)
    assert found["train images"][0] == "problem"
    assert "1 unusable: the image" in found["train images"][1]
    assert found["val resolution"][0] == "problem"
    assert found["train and val"] == ("problem", f"1 of {len(data.dataset('val'))} images are in train too")


def test_networks_that_cannot_take_the_size(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(root, "--data.image_size=15") == 1
    assert lines(capsys)["networks"] == ("problem", "TinyGenerator takes even sides, got 15 px")


def test_a_task_and_data_of_different_kinds(
    root: Path, image_folder: Path, few_tiles: Earth, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check_tool.run(TinyInpainting(), ClassData(few_tiles, 32), {"accelerator": "cpu"}, sample=3) == 1
    text = "ClassData gives images with labels, but TinyInpainting takes images with holes"
    assert lines(capsys)["kind of data"] == ("problem", text)
    data = InpaintingData(Photographs(root, val_fraction=0.3), 32)
    assert check_tool.run(make_task(), data, {"accelerator": "cpu"}, sample=3) == 1
    text = "InpaintingData gives images with holes, but ClassConditionalGAN takes images with labels"
    assert lines(capsys)["kind of data"] == ("problem", text)


def test_shards_know_their_doubles(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = plan_of(Photographs(root, val_fraction=0.3), 16)
    shutil.copy(plan.splits["train"].file(0), plan.splits["val"].file(0))  # type: ignore[arg-type]
    prepare(plan, tmp_path / "shards", Recipe(16))
    data = InpaintingData(Prepared(tmp_path / "shards"), 16)
    assert check_tool.run(TinyInpainting(), data, {"accelerator": "cpu"}) == 1
    assert lines(capsys)["train and val"] == ("problem", f"1 of {len(data.dataset('val'))} images are in train too")


def test_masks_that_cannot_be_are_found(root: Path) -> None:
    found = inspect(InpaintingData(Photographs(root), 16, mask=Everything()).dataset("train"), 16, 1, 0, "")
    assert found[0].complaint == "image 0 has a mask that is all hole"
    image, mask = torch.zeros(3, 8, 8), torch.zeros(1, 8, 8)
    items = [
        InpaintingBatch(image, mask),
        InpaintingBatch(image, mask + 0.5),
        InpaintingBatch(image, mask[:, :4]),
    ]
    complaints = [finding.complaint for finding in inspect(items, 8, None, 0, "")]  # type: ignore[arg-type]
    assert complaints == [
        "image 0 has a mask that is no hole",
        "image 1 has a mask with other values than 0 and 1",
        "image 2 has a mask of (1, 4, 8), not (1, 8, 8)",
    ]


def test_only_what_writes_checkpoints_keeps_any(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    callbacks = [Checkpointing(keep=3), InpaintingMetrics(keep=9, lpips=None, extractor=None)]
    data = InpaintingData(Photographs(root, val_fraction=0.25), 32)
    check_tool.run(TinyInpainting(), data, {"accelerator": "cpu", "callbacks": callbacks}, sample=3)
    assert " for 4 checkpoints (estimated)" in capsys.readouterr().out

"""The scores of single images: of what a file holds, in any batches, in a file that is whole."""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from lit_an.errors import InputError
from lit_an.metrics.feature_networks.lpips import Lpips
from lit_an.metrics.image_scores import ScoreCollector, Scores, image_scores, round_to_8_bits, too_small, write_scores
from tests.metrics.random_lpips import save_random_lpips


@pytest.fixture(scope="module")
def lpips(tmp_path_factory: pytest.TempPathFactory) -> Lpips:
    return Lpips("alex", save_random_lpips(tmp_path_factory.mktemp("weights") / "alexnet.ckpt"))


def inputs(count: int, size: int = 33) -> tuple[Tensor, Tensor, Tensor]:
    image, mask = torch.rand(count, 3, size, size) * 2 - 1, (torch.rand(count, 1, size, size) < 0.3).float()
    return image, torch.where(mask > 0, (image + 0.2).clamp(-1, 1), image), mask


def test_a_file_and_a_tensor_have_the_same_scores(tmp_path: Path, lpips: Lpips) -> None:
    image, composite, mask = inputs(1)
    for name, side in (("image", image), ("composite", composite)):
        pixels = ((side[0].permute(1, 2, 0) + 1) * 127.5).round().to(torch.uint8).numpy()
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    read = [
        torch.from_numpy(np.array(Image.open(tmp_path / f"{name}.png"))).permute(2, 0, 1)[None] / 127.5 - 1
        for name in ("image", "composite")
    ]
    from_tensors, from_files = image_scores(image, composite, mask, lpips), image_scores(*read, mask, lpips)
    for name, values in from_tensors.items():
        assert from_files[name].tolist() == pytest.approx(values.tolist(), rel=1e-6)
    assert list(from_files) == [
        *("hole_share", "l1", "psnr", "hole_l1", "hole_psnr", "ssim", "hole_ssim", "lpips", "hole_lpips")
    ]
    assert torch.equal(round_to_8_bits(read[0]), read[0])


def test_perfect_images_have_perfect_scores(lpips: Lpips) -> None:
    image, _, mask = inputs(2, 180)
    scores = image_scores(image, image, mask, lpips)
    for name in ("l1", "hole_l1", "lpips", "hole_lpips"):
        assert scores[name].tolist() == [0, 0]
    for name in ("ssim", "hole_ssim", "ms_ssim"):
        assert scores[name].tolist() == pytest.approx([1, 1], abs=1e-12)
    assert scores["psnr"].tolist() == scores["hole_psnr"].tolist() == [100, 100]
    assert scores["hole_share"].tolist() == pytest.approx(mask.double().mean((1, 2, 3)).tolist())


def test_a_worse_filling_has_worse_scores(lpips: Lpips) -> None:
    image, composite, mask = inputs(2)
    worse = torch.where(mask > 0, -image, image)
    good, bad = image_scores(image, composite, mask, lpips), image_scores(image, worse, mask, lpips)
    for name in ("l1", "lpips"):
        assert (bad[name] > good[name]).all()
        assert (bad[f"hole_{name}"] > good[f"hole_{name}"]).all()
    for name in ("psnr", "ssim"):
        assert (bad[name] < good[name]).all()
        assert (bad[f"hole_{name}"] < good[f"hole_{name}"]).all()


@pytest.mark.parametrize("gray", [0.5, 255.0, -1.0, float("nan")])
def test_a_gray_mask_is_refused(gray: float) -> None:
    image, composite, mask = inputs(1)
    mask[0, 0, 3, 3] = gray
    with pytest.raises(InputError, match=rf"mask must be 0 \(known\) or 1 \(hole\) everywhere, got {gray:g}"):
        image_scores(image, composite, mask)


@pytest.mark.parametrize("size", [8, 20, 180])
def test_what_an_image_is_too_small_for_is_absent_and_said(size: int, lpips: Lpips) -> None:
    scores = image_scores(*inputs(1, size), lpips)
    said = {sentence.split(":")[0] for sentence in too_small((size, 300), lpips)}
    assert said == {name for name in ("ssim", "ms_ssim", "lpips") if name not in scores}
    assert "l1" in scores
    assert len(said) == {8: 3, 20: 2, 180: 0}[size]


def collect(scores: Scores, batch: int) -> Scores:
    count = len(scores["l1"])
    collector = ScoreCollector(count)
    for index in torch.randperm(count).split(batch):
        collector.add({name: values[index] for name, values in scores.items()}, index)
    return collector.collected()


def test_batches_and_their_order_change_nothing() -> None:
    scores = image_scores(*inputs(7))
    for batch in (1, 3, 7):
        found = collect(scores, batch)
        assert list(found) == list(scores)
        assert all(torch.equal(found[name], scores[name]) for name in scores)


def test_an_image_twice_or_none_is_a_defect() -> None:
    collector = ScoreCollector(3)
    collector.add({"l1": torch.zeros(2)}, torch.tensor([0, 1]))
    with pytest.raises(AssertionError, match="missing or was added twice"):
        collector.collected()


def test_the_table_is_written_in_order(tmp_path: Path) -> None:
    scores = {"hole_share": torch.tensor([0.25, 0.5]), "l1": torch.tensor([1 / 3, torch.nan], dtype=torch.float64)}
    write_scores(tmp_path / "scores.csv", torch.tensor([0, 7]), ["a, b.png", "ö.png"], scores)
    with (tmp_path / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows == [
        {"index": "0", "name": "a, b.png", "hole_share": "0.25", "l1": "0.333333333"},
        {"index": "7", "name": "ö.png", "hole_share": "0.5", "l1": "nan"},
    ]


def test_a_writer_that_is_stopped_leaves_the_old_table(tmp_path: Path) -> None:
    class Stopping(list[str]):
        def __iter__(self) -> Iterator[str]:
            yield "first"
            raise KeyboardInterrupt

    scores, position = {"l1": torch.zeros(2)}, torch.arange(2)
    with pytest.raises(KeyboardInterrupt):
        write_scores(tmp_path / "scores.csv", position, Stopping(), scores)
    assert list(tmp_path.iterdir()) == []
    write_scores(tmp_path / "scores.csv", position, ["a", "b"], scores)
    before = (tmp_path / "scores.csv").read_text()
    with pytest.raises(KeyboardInterrupt):
        write_scores(tmp_path / "scores.csv", position, Stopping(), scores)
    assert [path.read_text() for path in tmp_path.iterdir()] == [before]

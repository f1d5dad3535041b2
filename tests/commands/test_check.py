"""``python cli.py check``: go, or no and why."""

import re
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

import cli
from callbacks import GeneratorEMA
from lit_an.commands import check as check_tool
from lit_an.commands import check_resources
from lit_an.commands.check_resources import memory_here
from lit_an.data import ClassData
from lit_an.data.inspection import inspect, overlap, sample_of
from lit_an.data.sources import ImageFolder
from lit_an.training_costs.devices import device_named
from lit_an.training_costs.estimate import Setting, estimate
from tests.photographs import WNIDS, break_some
from tests.training import make_task

ROOT = Path(__file__).parent.parent.parent
SMALL_CLASSES = str(ROOT / "configs/class_conditional/earth32_pixels.yaml")


def check(root: Path, *more: str) -> int:
    return cli.main(
        [
            "check",
            f"--config={SMALL_CLASSES}",
            "--model.generator.base_width=2",
            "--model.generator.num_classes=3",
            "--model.discriminator.base_width=2",
            "--data.source=lit_an.data.sources.ImageNet",
            "--data.image_size=32",
            f"--data.source.root={root}",
            "--data.batch_size=4",
            *more,
        ]
    )


def lines(capsys: pytest.CaptureFixture[str]) -> dict[str, tuple[str, str]]:
    """Verdict and text of each subject."""
    table = capsys.readouterr().out.split("\n\n")[0].splitlines()
    return {line[9:27].strip(): (line[:8].strip(), line[28:]) for line in table}


def test_a_sound_folder_is_a_go_and_leaves_nothing(
    imagenet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert check(imagenet) == 0
    found = lines(capsys)
    assert {verdict for verdict, _ in found.values()} == {"ok"}
    assert found["train images"][1] == "all 36, 0 unusable"
    assert found["train labels"][1] == "0 … 2, allowed 0 … 2"
    assert found["test"][1] == "is val"
    assert "estimated" in found["memory"][1]
    assert list((tmp_path / "here").iterdir()) == []


def test_another_number_of_classes(imagenet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(imagenet, "--model.generator.num_classes=2") == 1
    found = lines(capsys)
    assert found["classes"] == (
        "problem",
        "3 in the data, but the generator was made for 2 and the discriminator was made for 2; set num_classes to 3",
    )
    assert found["train labels"] == ("problem", "0 … 2, allowed 0 … 1")


def test_another_size(imagenet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(imagenet, "--data.image_size=64") == 1
    assert lines(capsys)["image size"] == ("problem", "64 px in the data, but 32 px in the generator")


def test_broken_images(imagenet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = break_some(imagenet)
    assert check(imagenet, "--sample=all", "--data.num_workers=1") == 1
    verdict, text = lines(capsys)["train images"]
    assert verdict == "problem"
    assert text.startswith(f"all 40, {len(broken)} unusable: the image ")
    assert check(imagenet, "--sample=all", "--max_failed=0.1") == 0
    assert lines(capsys)["train images"][0] == "note"


def test_a_sample_is_spread(imagenet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(imagenet, "--sample=5") == 0
    assert lines(capsys)["train images"][1] == "5 of 36 looked at, 0 unusable"
    assert sample_of(36, 5) == [0, 8, 17, 26, 35]
    assert sample_of(4, None) == sample_of(4, 9) == [0, 1, 2, 3]


def test_an_image_in_two_splits(imagenet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(imagenet / "train" / WNIDS[0] / "train_001.JPEG", imagenet / "val" / WNIDS[2] / "val_001.JPEG")
    assert check(imagenet) == 1
    assert lines(capsys)["train and val"] == ("problem", "1 of 12 images are in train too")
    assert check(imagenet, "--max_overlap=0.1") == 0


def test_small_images(imagenet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(5):
        Image.new("RGB", (20, 50), (number, 0, 0)).save(imagenet / "train" / WNIDS[0] / f"small_{number}.JPEG")
    assert check(imagenet) == 1
    assert lines(capsys)["train resolution"] == (
        "problem",
        "5 of 41 are smaller than image_size and will be enlarged",
    )
    assert check(imagenet, "--max_small=0.2") == 0


def test_a_missing_split_and_bad_options(imagenet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(imagenet, "--sample=0") == 2
    assert capsys.readouterr().err.endswith("error: check: sample must be at least 1, or 'all', got 0\n")
    shutil.rmtree(imagenet / "val")
    assert check(imagenet) == 1
    assert lines(capsys)["val"][1].endswith("has no folder 'val'; unpack ILSVRC2012_img_val.tar into one")


def test_too_little_memory(imagenet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(imagenet, "--data.batch_size=100000000") == 1
    assert lines(capsys)["memory"][0] == "problem"


def test_splits_in_memory_are_compared_by_their_pixels(image_folder: Path) -> None:
    data = ClassData(ImageFolder(image_folder, val_fraction=0.25), 8)
    train, val = data.dataset("train"), data.dataset("val")
    in_memory = [train[index] for index in range(5)]
    assert overlap(in_memory, in_memory[2:4], None) == (2, 2)  # type: ignore[arg-type]
    assert overlap(train, val, None) == (0, len(val))  # type: ignore[arg-type]
    assert overlap(train, train, 3) == (3, 3)


def test_images_of_the_wrong_shape_or_range_are_found(image_folder: Path) -> None:
    item = ClassData(ImageFolder(image_folder), 8).dataset("train")[0]
    items = [item, item._replace(image=item.image * 2 + 3), item._replace(image=torch.zeros(1, 8, 8))]
    complaints = [finding.complaint for finding in inspect(items, 8, None, 0, "")]  # type: ignore[arg-type]
    assert complaints == ["", "image 1 leaves the range -1 … 1", "image 2 is (1, 8, 8), not (3, 8, 8)"]


def test_memory_is_that_of_the_counted_iteration(
    imagenet: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its precision, its parts and its average."""
    arguments = {"32-true": (), "bf16-mixed": ("--trainer.precision=bf16-mixed",)}
    for precision, more in arguments.items():
        assert check(imagenet, "--model.accumulate=2", *more) == 0
        kind = "float32" if precision == "32-true" else precision
        assert f"for 2 images at once (estimated, {kind})" in lines(capsys)["memory"][1]
    monkeypatch.setattr(check_resources, "memory_here", lambda accelerator: 10**9)
    for averages in (True, False):
        callbacks = [GeneratorEMA()] if averages else []
        task, data = make_task(), ClassData(ImageFolder(imagenet / "train"), 32, batch_size=100)
        check_tool.run(task, data, {"accelerator": "cpu", "callbacks": callbacks}, sample=3)
        expected = estimate(task, Setting(100, 32, averages=averages, on_cpu=True)).memory
        assert lines(capsys)["memory"][1].startswith(f"about {expected / 1e9:.2f} GB on each device for 100 images")


def test_what_does_not_fit_is_told_the_parts_that_would(
    imagenet: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, parts = (
        estimate(make_task("none", accumulate=number), Setting(12, 32, averages=False, on_cpu=True)).memory
        for number in (1, 2)
    )
    data = ClassData(ImageFolder(imagenet / "train"), 32, batch_size=12)

    def verdict(memory: float) -> tuple[str, str]:
        monkeypatch.setattr(check_resources, "memory_here", lambda accelerator: int(memory))
        check_tool.run(make_task("none"), data, {"accelerator": "cpu"}, sample=3)
        return lines(capsys)["memory"]

    assert verdict(1.3 * whole)[0] == "ok"
    kind, text = verdict(1.1 * whole)
    assert (kind, text.split("; ")[-1]) == ("note", f"--model.accumulate 2 takes about {parts / 1e9:.2f} GB")
    kind, text = verdict(0.9 * whole)
    assert (kind, text.split("; ")[-1]) == ("problem", f"--model.accumulate 2 takes about {parts / 1e9:.2f} GB")
    kind, text = verdict(1000)
    assert kind == "problem"
    assert text.endswith("not even one image at a time fits well; make the networks or the images smaller")


def test_a_batch_that_cannot_be_split_is_a_problem(imagenet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(imagenet, "--model.accumulate=3") == 1
    verdict, text = lines(capsys)["networks"]
    assert verdict == "problem"
    assert text.startswith("a training batch of 4 images cannot be split into 3 equal parts; set data.batch_size")


def test_networks_that_need_values_are_not_estimated(imagenet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task = make_task("none")
    task.generator_terms = lambda batch: {"a": batch.image.mean() * batch.image.mean().item()}  # type: ignore[method-assign]
    data = ClassData(ImageFolder(imagenet / "train"), 32, batch_size=4)
    assert check_tool.run(task, data, {"accelerator": "cpu"}, sample=3) == 0
    found = lines(capsys)
    assert found["memory"][0] == "note"
    assert found["memory"][1].startswith("not estimated: the networks cannot be run without values (")
    assert found["disk"][0] == "ok"


def test_time_is_told_where_the_gpu_is_known_and_nowhere_else(
    imagenet: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for the GPU that tests have not got."""
    elsewhere = Path("/dev/shm") if Path("/dev/shm").is_dir() else imagenet
    assert check(imagenet, "--iterations=1000", f"--run_folder={elsewhere / 'runs' / 'new'}") == 0
    told = lines(capsys)
    assert "time" not in told
    assert told["disk"][1].endswith(f" GB free in {elsewhere}"), "the nearest folder that is there"
    device = device_named("NVIDIA H200")
    assert device is not None
    monkeypatch.setattr(check_resources, "device_here", lambda: device)
    monkeypatch.setattr(check_resources, "memory_here", lambda accelerator: device.memory)
    gpu = ("--trainer.accelerator=gpu", "--iterations=10000000000")
    assert check(imagenet, *gpu) == 0
    verdict, text = lines(capsys)["time"]
    assert verdict == "note"
    said = r"at least \d+ h \d+ min on H200 SXM \(computed, not measured; bound by memory traffic\)"
    assert re.fullmatch(said, text)
    assert check(imagenet, *gpu, "--price_per_hour=2.5") == 0
    hours, price = re.findall(r"; ([\d.]+) device hours, ([\d.]+) at 2.5 an hour", lines(capsys)["time"][1])[0]
    assert float(price) == pytest.approx(2.5 * float(hours), abs=0.2)
    assert check(imagenet, *gpu, "--price_per_hour=-1") == 2
    assert capsys.readouterr().err == "error: check: price_per_hour must be at least 0, got -1.0\n"
    check_tool.run(make_task(), ClassData(ImageFolder(imagenet / "train"), 32), {"accelerator": "gpu"}, sample=3)
    assert lines(capsys)["time"] == ("note", "not estimated: the run has no length; give --iterations")


def test_memory_of_a_device_that_is_not_here(imagenet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert memory_here(True) > 2**28  # type: ignore[operator]
    if torch.cuda.is_available():
        return
    assert memory_here(False) is None
    data = ClassData(ImageFolder(imagenet / "train"), 32, batch_size=4)
    check_tool.run(make_task("none"), data, {"accelerator": "auto"}, sample=1)
    assert " GB available" in lines(capsys)["memory"][1]

"""The parts that train whole recipes and feed them, and the one that trains in several processes."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from lit_an.device_checks.rows import Row, Setting
from lit_an.device_checks.runs import TASKS, config_of, fit, fit_configs, logged, make_pictures
from lit_an.files.configs import own_config

_CLASSES = 1000  # of ImageNet, whose recipes' networks have as many
_ITERATIONS, _WARM, _EVERY = 40, 10, 10
# Of each recipe the images at a time, as in docs/recipes.md, and further options.
_RECIPES: dict[str, tuple[int, tuple[str, ...]]] = {
    "class_conditional/imagenet128_an": (32, ()),
    "class_conditional/imagenet128_sagan": (32, ()),
    "class_conditional/imagenet128_sngan": (8, ()),
    "class_conditional/imagenet128_modern": (32, ("--model.accumulate=1",)),
    # ID-MRF wants VGG-19's weights, which may not be there; adversarial from the start.
    "inpainting/places256_an": (16, ("--model.losses.id_mrf_weight=0", "--model.adversarial_from=0")),
}
_IN_DRY_RUN = ("class_conditional/imagenet128_an", "inpainting/places256_an")
_SMALL = {
    "class_conditional": ("--model.generator.base_width=4", "--model.discriminator.base_width=4"),
    "inpainting": ("--model.generator.width=4", "--model.discriminator.base_width=4"),
}


def recipes(setting: Setting) -> Iterator[Row]:
    """Images a second and memory of the recipes by ``fit``, data loading included, on pictures made for it."""
    first = own_config(f"{next(iter(_RECIPES))}.yaml")
    if not first.is_file():
        yield Row("recipes", "not run", note="there is no folder configs here, nor one that is installed")
        return
    pictures = {"class_conditional": setting.folder / "classes", "inpainting": setting.folder / "photographs"}
    _make_jpegs(pictures["class_conditional"], _CLASSES, 144)
    _make_jpegs(pictures["inpainting"], 1, 288, each=64)
    for name, (images, options) in _RECIPES.items():
        if setting.dry_run and name not in _IN_DRY_RUN:
            yield Row(name.partition("/")[2], "not run", note="dry run: one of each task is enough")
            continue
        yield _recipe(setting, first.parents[1], name, pictures, images, options)


def _recipe(
    setting: Setting, configs: Path, name: str, pictures: dict[str, Path], images: int, options: tuple[str, ...]
) -> Row:
    kind, _, stem = name.partition("/")
    source = "ImageFolder" if kind == "class_conditional" else "Photographs"
    given = {"root": str(pictures[kind]), "val_fraction": 0.01 if kind == "class_conditional" else 0.25}
    overrides = [
        f"--data.source={json.dumps({'class_path': f'lit_an.data.sources.{source}', 'init_args': given})}",
        f"--data.batch_size={2 if setting.dry_run else images}",
        f"--data.num_workers={0 if setting.dry_run else 8}",
        "--trainer.limit_val_batches=0",
        f"--trainer.log_every_n_steps={1 if setting.dry_run else _EVERY}",
        *options,
    ]
    iterations = 2 if setting.dry_run else _ITERATIONS
    overlays = [configs / f"{name}.yaml", configs / "trainer" / "bf16.yaml"]
    if setting.dry_run:
        overrides += [*_SMALL[kind], "--trainer.precision=32-true", "--trainer.accelerator=cpu"]
    else:
        overlays.insert(1, configs / "trainer" / "one_gpu.yaml")
        overrides.append(f"--trainer.devices={setting.devices}")
    ran, run = fit_configs(setting, stem, overlays, iterations, *overrides)
    if ran.code:
        return Row(stem, "failed", {"exit code": str(ran.code)}, ran.last)
    rows = [row for row in logged(run) if row["step"] > (0 if setting.dry_run else _WARM)]
    speeds = sorted(row["time/images_per_second"] for row in rows if "time/images_per_second" in row)
    figures: dict[str, float | str] = {"images at a time": str(2 if setting.dry_run else images)}
    if speeds:
        figures["images/s"] = speeds[len(speeds) // 2]
    peak = json.loads((run / "run.json").read_text(encoding="utf-8")).get("peak_memory")
    figures |= {"peak memory, GB": peak / 1e9} if peak else {}
    return Row(stem, "measured", figures)


def loading(setting: Setting) -> Iterator[Row]:
    """Images a second of the data loader alone, to compare with what the recipes take."""
    from lit_an.data import ClassData
    from lit_an.data.sources import ImageFolder

    images = setting.folder / "classes"
    _make_jpegs(images, 10, 144, each=10 if setting.dry_run else 400)
    for workers in (0,) if setting.dry_run else (0, 4, 8):
        data: Any = ClassData(
            ImageFolder(images, 0.01), 128, batch_size=8 if setting.dry_run else 32, num_workers=workers
        )
        start, seen = time.perf_counter(), 0
        for batch in data.train_dataloader():
            if not seen:
                start = time.perf_counter()  # the first waits for the workers
            seen += len(batch.image)
            if seen > (40 if setting.dry_run else 3000):
                break
        speed = (seen - len(batch.image)) / max(time.perf_counter() - start, 1e-9)
        yield Row(f"128 px from JPEGs of 144 px, {workers} workers", "measured", {"images/s": speed})


def processes(setting: Setting) -> Iterator[Row]:
    """Training with a process per GPU, two on the CPU in a dry run: both tasks end, and their speed."""
    count = 2 if setting.dry_run else torch.cuda.device_count()
    if count < 2:
        yield Row("several GPUs", "not run", note="there is one GPU here")
        return
    images = setting.folder / "images"
    make_pictures(images, 40 if setting.dry_run else 72)
    for task in TASKS:
        for number in (1, count):
            config = config_of(task, setting, images)
            name = f"{task.replace('-', '_')}_{number}"
            ran, run = fit(setting, name, config, 3 if setting.dry_run else 20, f"--trainer.devices={number}")
            subject = f"{task}, {number} process{'es' * (number > 1)}"
            if ran.code:
                yield Row(subject, "failed", {"exit code": str(ran.code)}, ran.last)
                continue
            speeds = sorted(row.get("time/images_per_second", float("nan")) for row in logged(run)[1:])
            yield Row(subject, "measured", {"images/s": speeds[len(speeds) // 2]} if speeds else {})


def _make_jpegs(folder: Path, classes: int, side: int, each: int = 2) -> None:
    draws = np.random.default_rng(0)
    for number in range(classes):
        place = folder / f"{number:04}"
        place.mkdir(parents=True, exist_ok=True)
        for index in range(each):
            coarse = draws.integers(0, 255, (8, 8, 3), dtype=np.uint8)
            picture = Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)
            picture.save(place / f"{index}.jpg", quality=90)

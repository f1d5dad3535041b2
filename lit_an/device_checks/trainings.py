"""The part that trains both tasks on the device, in each precision, compiled and not."""

import math
from collections.abc import Iterator
from typing import Any

from lit_an.device_checks.rows import Row, Setting
from lit_an.device_checks.runs import TASKS, TaskName, config_of, fit, logged, make_pictures

# Options of the trainer and of the task, by what a reader calls them.
_PRECISIONS: dict[str, tuple[str, ...]] = {
    "fp32": ("--trainer.precision=32-true", "--trainer.float32_matmul_precision=highest"),
    "tf32": ("--trainer.precision=32-true", "--trainer.float32_matmul_precision=high"),
    "bf16": ("--trainer.precision=bf16-mixed",),
    "fp16": ("--trainer.precision=16-mixed",),
    "bf16, compiled": ("--trainer.precision=bf16-mixed", "--model.compile=inductor"),
}
_ON_CPU = ("fp32", "bf16")
_ITERATIONS, _WARM = 20, 5


def trainings(setting: Setting) -> Iterator[Row]:
    """20 iterations by ``fit``: they end, and all logged numbers are finite."""
    images = setting.folder / "images"
    make_pictures(images, 40 if setting.dry_run else 72)
    for task in TASKS:
        for name, options in _PRECISIONS.items():
            if setting.dry_run and name not in _ON_CPU:
                yield Row(f"{task}, {name}", "not run", note="dry run: for a GPU")
                continue
            yield _training(setting, task, name, config_of(task, setting, images), options)


def _training(setting: Setting, task: TaskName, name: str, config: dict[str, Any], options: tuple[str, ...]) -> Row:
    subject = f"{task}, {name}"
    iterations = 2 if setting.dry_run else _ITERATIONS
    ran, run = fit(setting, subject.replace(", ", "_").replace(" ", "_"), config, iterations, *options)
    if ran.code:
        return Row(subject, "failed", {"exit code": str(ran.code)}, ran.last)
    rows = logged(run)
    losses = [value for row in rows for key, value in row.items() if key.startswith("train/")]
    if len(rows) < iterations or not losses or not all(map(math.isfinite, losses)):
        note = f"{len(rows)} of {iterations} iterations are logged, with values that are not finite or are missing"
        return Row(subject, "failed", note=note)
    warm = [row["time/images_per_second"] for row in rows[_WARM:] if "time/images_per_second" in row]
    figures: dict[str, float | str] = {"discriminator": rows[-1]["train/discriminator/adversarial"]}
    if warm:
        figures["images/s"] = sorted(warm)[len(warm) // 2]
    return Row(subject, "ok", figures)

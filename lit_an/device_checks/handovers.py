"""The part that hands checkpoints from the CPU to the device and back, exports there, and uses the export."""

from collections.abc import Iterator
from pathlib import Path

from lit_an.device_checks.rows import Row, Setting
from lit_an.device_checks.runs import TASKS, Ran, TaskName, command_line, config_of, fit, make_pictures

_FIRST, _MORE = 3, 2  # iterations


def handovers(setting: Setting) -> Iterator[Row]:
    """Resume on the same device, on the other and back; export, and sample or inpaint from it."""
    images = setting.folder / "images"
    make_pictures(images, 40 if setting.dry_run else 72)
    for task in TASKS:
        yield from _resumed(setting, task, images)
        yield from _exported(setting, task, images)


def _resumed(setting: Setting, task: TaskName, images: Path) -> Iterator[Row]:
    there = setting.device if setting.device != "cpu" else "cpu again"
    begun, done = _run_of(task), 0
    config = config_of(task, setting, images)
    options = {"cpu": ("--trainer.accelerator=cpu",), there: ()}
    for place in (there, there, "cpu", there):
        done += _MORE if done else _FIRST
        resume = (f"--ckpt_path={setting.folder / begun}",) if done > _FIRST else ()
        ran, _ = fit(setting, begun, config, done, *options[place], *resume)
        subject = f"{task}, iteration {done} on {place}"
        yield _row(subject, ran)
        if ran.code:
            return


def _exported(setting: Setting, task: TaskName, images: Path) -> Iterator[Row]:
    run, export = setting.folder / _run_of(task), setting.folder / f"{_run_of(task)}_export"
    formats = '["safetensors","torch"]'
    ran = command_line(setting.folder, "export", f"--ckpt_path={run}", f"--output={export}", f"--formats={formats}")
    yield _row(f"{task}, export", ran)
    if ran.code:
        return
    device = f"--device={setting.device}"
    if task == "class-conditional":
        use = ("sample", "--samples_per_class=2", '--write=["png"]')
    else:
        use = ("inpaint", f"--images={images}", "--hole_shape=Rectangle")
    for source in (export, run):
        output = setting.folder / f"{source.name}_pictures"
        ran = command_line(setting.folder, *use, f"--ckpt_path={source}", f"--output={output}", device)
        what = "an export" if source is export else "a run folder"
        if not ran.code and not any(output.rglob("*.png")):
            ran = Ran(1, f"no picture in {output.name}")
        yield _row(f"{task}, {use[0]} from {what}", ran)


def _run_of(task: TaskName) -> str:
    return task.replace("-", "_")


def _row(subject: str, ran: Ran) -> Row:
    if ran.code:
        return Row(subject, "failed", {"exit code": str(ran.code)}, ran.last)
    return Row(subject, "ok")

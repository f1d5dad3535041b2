"""Memory, disk space and time of a run, estimated from its networks and compared with this machine."""

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.callbacks import Checkpoint

from lit_an.commands.check_data import Line
from lit_an.data.base import ImageData
from lit_an.durations import in_words
from lit_an.errors import InputError
from lit_an.files import printable
from lit_an.tasks.adversarial import AdversarialTask
from lit_an.training_costs.devices import USABLE, Device, device_named
from lit_an.training_costs.estimate import (
    Setting,
    TrainingCosts,
    UncountableError,
    checkpoint_bytes,
    estimate,
    fitting_parts,
)
from lit_an.training_costs.valueless import MIXED


def resource_lines(
    model: AdversarialTask,
    data: ImageData,
    trainer: Mapping[str, Any],
    iterations: int | None,
    price_per_hour: float | None,
    processes: int,
    run_folder: Path,
) -> Iterator[Line]:
    """Memory, time and disk space that a run is estimated to need.

    Args:
        model, data, trainer: from the config.
        iterations: of the run, or None without a length.
        price_per_hour: of one device, or None.
        processes: that train together.
        run_folder: where checkpoints go; it need not be there yet.
    """
    setting = setting_of(model, data, trainer, processes)
    try:
        costs = estimate(model, setting, iterations)
        yield _memory_line(model, setting, costs, memory_here(setting.on_cpu))
        device = None if setting.on_cpu else device_here()
        if device is not None:
            tf32 = trainer.get("float32_matmul_precision", "highest") != "highest"
            yield _time_line(costs, device, tf32, iterations, price_per_hour, processes)
    except InputError as error:
        yield Line("problem", "networks", str(error))
        return
    except UncountableError as error:
        yield Line("note", "memory", f"not estimated: the networks cannot be run without values ({error})")
    yield _disk_line(model, setting, trainer, run_folder)


def setting_of(model: AdversarialTask, data: ImageData, trainer: Mapping[str, Any], processes: int = 1) -> Setting:
    """How a config trains its task."""
    accelerator = str(trainer.get("accelerator", "auto"))
    has_gpu = accelerator != "cpu" and (accelerator != "auto" or torch.cuda.is_available())
    return Setting(
        images=data.batch_size,
        image_size=data.image_size,
        precision=str(trainer.get("precision") or "32-true"),
        processes=processes,
        averages=any(hasattr(callback, "averaged_weights") for callback in trainer.get("callbacks") or []),
        on_cpu=not has_gpu,
    )


def memory_here(on_cpu: bool) -> int | None:
    """Memory of the training device in bytes, or None if this machine has no such device."""
    if not on_cpu:
        return int(torch.cuda.mem_get_info()[1]) if torch.cuda.is_available() else None
    return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def device_here() -> Device | None:
    """The GPU of this machine, if there is one whose rates are known."""
    return device_named(torch.cuda.get_device_name()) if torch.cuda.is_available() else None


def _memory_line(model: AdversarialTask, setting: Setting, costs: TrainingCosts, here: int | None) -> Line:
    at_once = setting.images // model.accumulate
    kind = setting.precision if setting.precision in MIXED else "float32"
    text = f"about {costs.memory / 1e9:.2f} GB on each device for {at_once} images at once (estimated, {kind})"
    if here is None:
        return Line("note", "memory", f"{text}; this machine has no such device to compare with")
    text = f"{text}; {here / 1e9:.1f} GB available"
    if costs.memory < USABLE * here:
        return Line("ok", "memory", text)
    if costs.memory < here:
        text += f", of which workspaces and gaps between blocks take up to {1 - USABLE:.0%}"
    parts = fitting_parts(model, setting, USABLE * here)
    remedy = "not even one image at a time fits well; make the networks or the images smaller"
    if parts is not None:
        remedy = f"--model.accumulate {parts.accumulate} takes about {parts.memory / 1e9:.2f} GB"
    return Line("problem" if costs.memory >= here else "note", "memory", f"{text}; {remedy}")


def _time_line(
    costs: TrainingCosts,
    device: Device,
    tf32: bool,
    iterations: int | None,
    price_per_hour: float | None,
    processes: int,
) -> Line:
    if iterations is None:
        return Line("note", "time", "not estimated: the run has no length; give --iterations")
    least, bound = costs.seconds(device, tf32), costs.bound(device, tf32)
    text = f"at least {in_words(least)} on {device.name} (computed, not measured; bound by {bound})"
    if price_per_hour is not None:
        hours = processes * least / 3600
        text += f"; {hours:.1f} device hours, {hours * price_per_hour:.2f} at {price_per_hour:g} an hour"
    return Line("note", "time", text)


def _disk_line(model: AdversarialTask, setting: Setting, trainer: Mapping[str, Any], run_folder: Path) -> Line:
    writers = [callback for callback in trainer.get("callbacks") or [] if isinstance(callback, Checkpoint)]
    kept = 1 + max((getattr(callback, "keep", 0) for callback in writers), default=0)
    disk = kept * checkpoint_bytes(model, setting.averages)
    place = _existing(run_folder)
    free = shutil.disk_usage(place).free
    text = f"about {disk / 1e9:.2f} GB for {kept} checkpoints (estimated); {free / 1e9:.1f} GB free"
    text = f"{text} in {printable(place)}"
    return Line("ok" if disk < free else "problem", "disk", text)


def _existing(path: Path) -> Path:
    folder = path.absolute()
    return next(place for place in (folder, *folder.parents) if place.is_dir())

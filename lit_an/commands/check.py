"""``python cli.py check``: what would go wrong in a run, said before it starts."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from pytorch_lightning.callbacks import Checkpoint

from lit_an.commands.check_data import Limits, Line, data_lines
from lit_an.commands.check_resources import estimate_needs, latent_inputs, masked_inputs, memory_here
from lit_an.data.base import ImageData
from lit_an.data.class_data import ClassData
from lit_an.errors import InputError
from lit_an.tasks.adversarial import AdversarialTask


def run(
    model: AdversarialTask,
    data: ImageData,
    trainer: Mapping[str, Any],
    sample: int | Literal["all"] = 1000,
    max_failed: float = 0.0,
    max_small: float = 0.1,
    max_overlap: float = 0.0,
) -> int:
    """Says whether a config and its data go together, before anything is trained; takes fit's configs and overrides.

    Args:
        model: from the config.
        data: from the config.
        trainer: from the config.
        sample: how many images of each split to look at, spread over it, or ``all``.
        max_failed: share of unreadable images that still passes; a run ends at the first one that it meets.
        max_small: share of images smaller than image_size that still passes.
        max_overlap: share of val and test images that may be in train too.

    Returns:
        0: go; 1: no, for the problems in the table.
    """
    if sample != "all" and sample < 1:
        raise InputError(f"check: sample must be at least 1, or 'all', got {sample}")
    limits = Limits(max_failed, max_small, max_overlap)
    number = None if sample == "all" else sample
    lines = [*kind_lines(model, data), size_line(model, data)]
    lines += data_lines(data, classes_of(model), number, limits)
    lines += callback_lines(data, trainer)
    lines += resource_lines(model, data, trainer)
    for line in lines:
        print(f"{line.verdict:8} {line.subject:18} {line.text}")
    problems = sum(line.verdict == "problem" for line in lines)
    print(f"\n{'go' if not problems else f'no: {problems} problem' + 's' * (problems > 1)}")
    return int(problems > 0)


def classes_of(model: AdversarialTask) -> int | None:
    """How many classes a task is for, or None if it is not about classes."""
    return getattr(model, "num_classes", None)


def kind_lines(model: AdversarialTask, data: ImageData) -> Iterator[Line]:
    """Whether the data are of the kind that the task takes, and of as many classes."""
    wants_labels = classes_of(model) is not None
    if isinstance(data, ClassData) and wants_labels:
        yield classes_line(model, data)
    elif isinstance(data, ClassData) or wants_labels:
        has, wants = ("holes", "labels") if wants_labels else ("labels", "holes")
        text = f"{type(data).__name__} gives images with {has}, but {type(model).__name__} takes images with {wants}"
        yield Line("problem", "kind of data", text)


def classes_line(model: AdversarialTask, data: ClassData) -> Line:
    """Whether networks and data have the same number of classes."""
    of_data = len(data.class_names)
    made_for = {
        name: int(network.num_classes)  # type: ignore[arg-type]
        for name, network in (("generator", model.generator), ("discriminator", model.discriminator))
        if hasattr(network, "num_classes")
    }
    wrong = {name: number for name, number in made_for.items() if number != of_data}
    if not wrong:
        return Line("ok", "classes", f"{of_data} in the data and in the networks")
    said = " and ".join(f"the {name} was made for {number}" for name, number in wrong.items())
    return Line("problem", "classes", f"{of_data} in the data, but {said}; set num_classes to {of_data}")


def size_line(model: AdversarialTask, data: ImageData) -> Line:
    """Whether networks and data have images of the same size; a generator for all sizes says none."""
    made_for = getattr(model.generator, "image_size", data.image_size)
    same = made_for == data.image_size
    text = f"{data.image_size} px in the data" + ("" if same else f", but {made_for} px in the generator")
    return Line("ok" if same else "problem", "image size", text)


@runtime_checkable
class DataRequirement(Protocol):
    """A callback that cannot do with any data."""

    def data_problems(self, data: Any, processes: int = 1) -> list[str]:
        """What stands against these data in a training, in sentences."""
        ...


def callback_lines(data: ImageData, trainer: Mapping[str, Any]) -> Iterator[Line]:
    """What callbacks that measure say of the data, which a run would say at its first validation."""
    if trainer.get("limit_val_batches") == 0:
        return
    for callback in trainer.get("callbacks") or []:
        if not isinstance(callback, DataRequirement):
            continue
        try:
            problems = callback.data_problems(data, processes_of(trainer))
        except InputError:  # of a split that is missing, which has its own line
            continue
        name = type(callback).__name__
        yield from (Line("problem", "measuring", sentence) for sentence in problems)
        if not problems:
            yield Line("ok", "measuring", f"{name} has what it needs")


def processes_of(trainer: Mapping[str, Any]) -> int:
    """How many processes train together, as far as the config says it."""
    devices = trainer.get("devices")
    number = len(devices) if isinstance(devices, list) else str(devices)
    return max(1, int(number) if str(number).isdecimal() else 1) * int(trainer.get("num_nodes") or 1)


def resource_lines(model: AdversarialTask, data: ImageData, trainer: Mapping[str, Any]) -> Iterator[Line]:
    """Rough needs of memory and disk, against what is here."""
    at_once = max(1, data.batch_size // model.accumulate)
    inputs = masked_inputs(data.image_size) if classes_of(model) is None else latent_inputs(model)
    try:
        needs = estimate_needs(model, at_once, inputs)
    except InputError as error:
        yield Line("problem", "networks", str(error))
        return
    accelerator = str(trainer.get("accelerator", "auto"))
    here = memory_here(accelerator)
    text = f"about {needs.memory / 1e9:.2f} GB on each device for {at_once} images at once (estimated, float32)"
    if here is None:
        yield Line("note", "memory", f"{text}; there is no such device here to compare with")
    else:
        yield Line("ok" if needs.memory < here else "problem", "memory", f"{text}; {here / 1e9:.1f} GB here")
    writers = [callback for callback in trainer.get("callbacks") or [] if isinstance(callback, Checkpoint)]
    kept = 1 + max((getattr(callback, "keep", 0) for callback in writers), default=0)
    disk, free = kept * needs.checkpoint, shutil.disk_usage(_existing(trainer.get("default_root_dir") or ".")).free
    text = f"about {disk / 1e9:.2f} GB for {kept} checkpoints (estimated); {free / 1e9:.1f} GB free"
    yield Line("ok" if disk < free else "problem", "disk", text)


def _existing(path: str) -> Path:
    folder = Path(path).absolute()
    return next(place for place in (folder, *folder.parents) if place.is_dir())

"""``python cli.py check``: what would go wrong in a run, said before it starts."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from torch.utils.data import Dataset

from lit_an.batch import ClassBatch
from lit_an.data.base import LabelledImages
from lit_an.data.inspection import Finding, inspect, overlap, same_images
from lit_an.data.prepared import Prepared
from lit_an.errors import InputError
from lit_an.tasks.class_conditional import ClassConditionalGAN
from lit_an.tools.check_resources import memory_here, needs_of

Verdict = Literal["ok", "note", "problem"]


class Line(NamedTuple):
    """A line of the table: only a ``problem`` says no."""

    verdict: Verdict
    subject: str
    text: str


class Limits(NamedTuple):
    """Shares that are still let pass."""

    failed: float
    small: float
    overlap: float


def run(
    model: ClassConditionalGAN,
    data: LabelledImages,
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
    lines = [classes_line(model, data), size_line(model, data)]
    lines += data_lines(model, data, number, limits)
    lines += resource_lines(model, data, trainer)
    for line in lines:
        print(f"{line.verdict:8} {line.subject:18} {line.text}")
    problems = sum(line.verdict == "problem" for line in lines)
    print(f"\n{'go' if not problems else f'no: {problems} problem' + 's' * (problems > 1)}")
    return int(problems > 0)


def classes_line(model: ClassConditionalGAN, data: LabelledImages) -> Line:
    """Whether networks and data have the same number of classes."""
    of_data = len(data.class_names)
    wanted = {
        name: int(network.num_classes)  # type: ignore[arg-type]
        for name, network in (("generator", model.generator), ("discriminator", model.discriminator))
        if hasattr(network, "num_classes")
    }
    wrong = {name: number for name, number in wanted.items() if number != of_data}
    if not wrong:
        return Line("ok", "classes", f"{of_data} in the data and in the networks")
    said = " and ".join(f"the {name} was made for {number}" for name, number in wrong.items())
    return Line("problem", "classes", f"{of_data} in the data, but {said}; set num_classes to {of_data}")


def size_line(model: ClassConditionalGAN, data: LabelledImages) -> Line:
    """Whether networks and data have images of the same size."""
    made_for = int(model.generator.image_size)  # type: ignore[arg-type]
    same = made_for == data.image_size
    text = f"{data.image_size} px in the data" + ("" if same else f", but {made_for} px in the generator")
    return Line("ok" if same else "problem", "image size", text)


def data_lines(model: ClassConditionalGAN, data: LabelledImages, sample: int | None, limits: Limits) -> Iterator[Line]:
    """What a look at the images of all splits says."""
    splits: dict[str, Dataset[ClassBatch]] = {}
    for name in ("train", "val", "test"):
        try:
            images = data.dataset(name)  # type: ignore[arg-type]
        except InputError as error:
            yield Line("problem", name, str(error))
            continue
        if name == "test" and "val" in splits and same_images(splits["val"], images):
            yield Line("ok", "test", "is val")
            continue
        splits[name] = images
        found = inspect(splits[name], data.image_size, sample, data.num_workers, name)
        yield from finding_lines(name, found, len(splits[name]), model.num_classes, limits)  # type: ignore[arg-type]
    for name in ("val", "test"):
        if "train" in splits and name in splits:
            yield overlap_line(name, data, splits, sample, limits)


def finding_lines(split: str, found: list[Finding], length: int, num_classes: int, limits: Limits) -> Iterator[Line]:
    """Readable images, labels and small images of one split."""
    looked_at = f"{len(found)} of {length} looked at" if len(found) < length else f"all {length}"
    bad = [finding.complaint for finding in found if finding.complaint]
    verdict = judge(len(bad), len(found), limits.failed)
    yield Line(verdict, f"{split} images", f"{looked_at}, {len(bad)} unusable" + (f": {bad[0]}" if bad else ""))
    labels = [finding.label for finding in found if finding.label >= 0]
    if labels:
        fits = max(labels) < num_classes
        text = f"{min(labels)} … {max(labels)}, allowed 0 … {num_classes - 1}"
        yield Line("ok" if fits else "problem", f"{split} labels", text)
    small = sum(finding.small for finding in found)
    if small:
        text = f"{small} of {len(found)} are smaller than image_size and will be enlarged"
        yield Line(judge(small, len(found), limits.small), f"{split} resolution", text)


def overlap_line(
    split: str, data: LabelledImages, splits: dict[str, Dataset[ClassBatch]], sample: int | None, limits: Limits
) -> Line:
    """How many images of a split are in the training set."""
    if isinstance(data, Prepared):
        # prepare compared them all, pixel for pixel.
        name = split if split in data.manifest["splits"] else "val"
        number, looked_at = data.manifest["in_two_splits"][f"train and {name}"], len(splits[split])  # type: ignore[arg-type]
    else:
        number, looked_at = overlap(splits["train"], splits[split], sample)
    text = f"{number} of {looked_at} images are in train too"
    return Line(judge(number, looked_at, limits.overlap), f"train and {split}", text)


def resource_lines(model: ClassConditionalGAN, data: LabelledImages, trainer: Mapping[str, Any]) -> Iterator[Line]:
    """Rough needs of memory and disk, against what is here."""
    at_once = max(1, data.batch_size // model.accumulate)
    needs = needs_of(model, at_once)
    accelerator = str(trainer.get("accelerator", "auto"))
    here = memory_here(accelerator)
    text = f"about {needs.memory / 1e9:.2f} GB on each device for {at_once} images at once (estimated, float32)"
    if here is None:
        yield Line("note", "memory", f"{text}; there is no such device here to compare with")
    else:
        yield Line("ok" if needs.memory < here else "problem", "memory", f"{text}; {here / 1e9:.1f} GB here")
    kept = 1 + max((getattr(callback, "keep", 0) for callback in trainer.get("callbacks") or []), default=0)
    disk, free = kept * needs.checkpoint, shutil.disk_usage(_existing(trainer.get("default_root_dir") or ".")).free
    text = f"about {disk / 1e9:.2f} GB for {kept} checkpoints (estimated); {free / 1e9:.1f} GB free"
    yield Line("ok" if disk < free else "problem", "disk", text)


def judge(number: int, total: int, limit: float) -> Verdict:
    """``problem`` above the limit, ``note`` for what is let pass.

    Example:
        >>> judge(0, 10, 0.0), judge(1, 10, 0.1), judge(2, 10, 0.1)
        ('ok', 'note', 'problem')
    """
    if not number:
        return "ok"
    return "note" if number <= limit * total else "problem"


def _existing(path: str) -> Path:
    folder = Path(path).absolute()
    return next(place for place in (folder, *folder.parents) if place.is_dir())

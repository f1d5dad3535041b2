"""Checks of a data set: readable images, labels or holes, and images in two splits."""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from lit_an.data.base import ImageData, Squares, left_out_of
from lit_an.data.inspection import Finding, inspect, overlap, same_images
from lit_an.data.shards.folder import ShardFolder
from lit_an.data.sources.listing import spell
from lit_an.data.sources.prepared import Prepared
from lit_an.errors import InputError

Verdict = Literal["ok", "note", "problem"]


class Line(NamedTuple):
    """A line of the table; only a ``problem`` makes the check fail."""

    verdict: Verdict
    subject: str
    text: str


class Limits(NamedTuple):
    """Largest shares that pass."""

    failed: float
    small: float
    overlap: float


def data_lines(data: ImageData, num_classes: int | None, sample: int | None, limits: Limits) -> Iterator[Line]:
    """Checks the images of all splits.

    Args:
        data: from the config.
        num_classes: labels must be below it; None for a task without labels.
        sample: number of images of each split to check; None checks all.
        limits: largest shares that pass.
    """
    splits: dict[str, Squares[Any]] = {}
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
        if left_out_of(images):
            yield Line("note", f"{name} files", left_out_of(images))
        found = inspect(images, data.image_size, sample, data.num_workers, name)
        yield from finding_lines(name, found, len(images), num_classes, limits)  # type: ignore[arg-type]
    if isinstance(data.source, Prepared):
        yield shards_line(data.source.shards)
    for name in ("val", "test"):
        if "train" in splits and name in splits:
            yield overlap_line(name, data, splits, sample, limits)


def finding_lines(
    split: str, found: list[Finding], length: int, num_classes: int | None, limits: Limits
) -> Iterator[Line]:
    """Readable images, small ones, and labels or holes of one split."""
    looked_at = f"{len(found)} of {length} looked at" if len(found) < length else f"all {length}"
    bad = [finding.complaint for finding in found if finding.complaint]
    verdict = verdict_of(len(bad), len(found), limits.failed)
    yield Line(verdict, f"{split} images", f"{looked_at}, {len(bad)} unusable" + (f": {bad[0]}" if bad else ""))
    labels = [finding.label for finding in found if finding.label >= 0]
    if labels and num_classes is not None:
        fits = max(labels) < num_classes
        text = f"{min(labels)} … {max(labels)}, allowed 0 … {num_classes - 1}"
        yield Line("ok" if fits else "problem", f"{split} labels", text)
    holes = [finding.hole for finding in found if finding.hole >= 0]
    if holes:
        mean = sum(holes) / len(holes)
        text = f"{min(holes):.0%} … {max(holes):.0%} of an image, {mean:.0%} on average"
        yield Line("ok", f"{split} holes", text)
    small = sum(finding.small for finding in found)
    if small:
        text = f"{small} of {len(found)} are smaller than image_size and will be enlarged"
        yield Line(verdict_of(small, len(found), limits.small), f"{split} resolution", text)


def shards_line(shards: ShardFolder) -> Line:
    """Checks that all shards are intact; a run would find a damaged image only when it reads it."""
    damaged = shards.damaged()
    if not damaged:
        return Line("ok", "shards", "all match the manifest")
    which = spell(damaged)
    return Line("problem", "shards", f"{len(damaged)} are damaged: {which}; prepare again, which remakes only these")


def overlap_line(
    split: str, data: ImageData, splits: dict[str, Squares[Any]], sample: int | None, limits: Limits
) -> Line:
    """Counts the images of a split that are also in the training set."""
    if isinstance(data.source, Prepared):
        # prepare has compared all of them by pixels.
        manifest = data.source.shards.manifest
        name = split if split in manifest["splits"] else "val"
        number = int(manifest.get("in_two_splits", {}).get(f"train and {name}", 0))
        looked_at = len(splits[split])
    else:
        number, looked_at = overlap(splits["train"], splits[split], sample)
    text = f"{number} of {looked_at} images are in train too"
    return Line(verdict_of(number, looked_at, limits.overlap), f"train and {split}", text)


def verdict_of(number: int, total: int, limit: float) -> Verdict:
    """``problem`` above the limit, ``note`` up to it, ``ok`` for 0.

    Example:
        >>> verdict_of(0, 10, 0.0), verdict_of(1, 10, 0.1), verdict_of(2, 10, 0.1)
        ('ok', 'note', 'problem')
    """
    if not number:
        return "ok"
    return "note" if number <= limit * total else "problem"

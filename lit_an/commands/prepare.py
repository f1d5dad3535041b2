"""``python cli.py prepare``: turns a data set into shards of one size."""

import os
import shlex
import sys
from pathlib import Path
from typing import Literal

import lit_an.data.shards.manifest as manifests
from lit_an.commands.option_types import Folder
from lit_an.data.preparation import part_called, plan_of, prepare
from lit_an.data.preparation.outcome import REPORT, passed_over
from lit_an.data.sources.base import Source
from lit_an.data.sources.detection import source_at
from lit_an.errors import InputError
from lit_an.files import printable


def run(
    source: Folder | Source | str,
    out: str,
    image_size: int,
    format: Literal["raw", "png", "jpeg"] = "raw",
    quality: int = 95,
    images_per_shard: int = 1024,
    num_workers: int | None = None,
    max_failed: float = 0.01,
    part: str = "1/1",
) -> int:
    """Turns images into shards of one size, which load much faster; continues an interrupted run.

    Args:
        source: a folder, whose layout is recognized (ImageNet, Places365, Paris StreetView, class folders, photographs
            without classes, each with or without split folders), or ``earth``; or a class of ``lit_an.data.sources``,
            whose arguments are ``--source.root`` and so on.
        out: the folder to make.
        image_size: side in pixels: the center square of the short side, resized with antialiasing.
        format: how images are stored: raw loads fastest, png keeps every pixel too, jpeg is smallest.
        quality: of jpeg, 1 to 100.
        images_per_shard: pictures that go into one shard.
        num_workers: processes. Default: one for each core.
        max_failed: share of images that may be unreadable, 0 to 1; above it the exit code is 1.
        part: ``K/N`` makes the K-th of N parts of the shards, for several machines that share the folder, such as a
            SLURM array; the last to finish writes the manifest, which is the same as from one.

    Returns:
        0, or 1 if too many images cannot be read.
    """
    recipe = manifests.Recipe(image_size, format, quality, images_per_shard)
    folder = Path(out).expanduser()
    # A folder first: it may be called like a class.
    chosen = source if isinstance(source, Source) else source_at(str(source))
    root = getattr(chosen, "root", None)
    place = Path(os.path.realpath(folder))
    if isinstance(root, Path) and Path(os.path.realpath(root)) in (place, *place.parents):
        raise InputError(
            f"prepare: --out {out} lies in the source {str(root)!r}, where the next run would read the shards as "
            "pictures; choose a folder outside of it"
        )
    plan = plan_of(chosen, image_size)
    outcome = prepare(plan, folder, recipe, num_workers or _cores(), max_failed, part_called(part))
    if outcome.complaint:
        print(f"error: {outcome.complaint}", file=sys.stderr)
        return 1
    if outcome.manifest is None:
        print(f"part {part} is done; {outcome.unfinished} shards of other parts are not: the last writes the manifest")
        return 0
    for name, split in outcome.manifest["splits"].items():
        size = sum(shard["bytes"] for shard in split["shards"])
        print(f"{name:5} {split['images']:>8} images, {len(split['shards'])} shards, {size / 1e6:.1f} MB")
    for pair, number in outcome.manifest["in_two_splits"].items():
        if number:
            print(f"note: {number} images are in {pair}")
    for place, left_out in plan.left_out().items():
        if str(left_out):
            print(printable(f"note: in {str(place)!r} {left_out}"))
    print(f"{outcome.failed} unreadable, {len(passed_over(plan))} passed over: {printable(Path(out) / REPORT)}")
    print(f"content hash {outcome.manifest['content_hash']}")
    print(f"use it: --data.source lit_an.data.sources.Prepared --data.source.root {printable(shlex.quote(out))}")
    return 0


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

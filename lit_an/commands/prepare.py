"""``python cli.py prepare``: a folder of images becomes shards of one size."""

import os
import sys
from pathlib import Path
from typing import Literal

import lit_an.data.manifest as manifests
from lit_an.data.preparation import prepare
from lit_an.data.preparation_results import REPORT
from lit_an.data.sources import ONLY_CLASS, Layout, Lists, open_source
from lit_an.errors import InputError


def run(
    source: str,
    out: str,
    image_size: int,
    format: Literal["raw", "png", "jpeg"] = "raw",
    quality: int = 95,
    classes: list[str] | int | None = None,
    val_fraction: float = 0.1,
    val_labels: str | None = None,
    layout: Layout = "auto",
    train_list: str | None = None,
    val_list: str | None = None,
    test_list: str | None = None,
    images_per_shard: int = 1024,
    num_workers: int | None = None,
    max_failed: float = 0.01,
) -> int:
    """Turns images into shards of one size, which load much faster; goes on where a kill stopped it.

    Args:
        source: a folder, laid out like ImageNet, in class folders, in split folders of them, or of photographs without
            classes; or ``earth_tiles``.
        out: the folder to make.
        image_size: side in pixels: the centre square of the short side, resized with antialiasing.
        format: how images are stored: raw loads fastest, png keeps every pixel too, jpeg is smallest.
        quality: of jpeg, 1 to 100.
        classes: for ImageNet, WordNet ids to keep, or how many.
        val_fraction: share held out where the source has no ``val``.
        val_labels: for ImageNet, the file that says what a flat validation image shows.
        layout: of the folder: ``imagenet``, ``classes``, or without labels ``photographs`` (at any depth),
            ``places365``, ``celeba_hq``, ``paris_street_view``. ``auto`` knows all but ``celeba_hq``, and photographs
            that lie in sub-folders.
        train_list: for photographs and celeba_hq, a text file with one path a line.
        val_list: the same for validation; with it alone, all other images are for training.
        test_list: the same for test.
        images_per_shard: source files that go into one shard.
        num_workers: processes; None takes one for each core.
        max_failed: share of images that may be unreadable, 0 to 1; above it the exit code is 1.

    Returns:
        0, or 1 if too many images cannot be read.
    """
    recipe = manifests.Recipe(image_size, format, quality, images_per_shard)
    lists = Lists(train_list, val_list, test_list)
    folder = Path(out).expanduser()
    if Path(source).expanduser().resolve() in (folder.resolve(), *folder.resolve().parents):
        raise InputError(
            f"prepare: --out {out} lies in --source {source}, where the shards would be taken for pictures the next "
            "time; choose a folder outside of it"
        )
    pictures = open_source(source, image_size, classes, val_fraction, val_labels, layout, lists)
    outcome = prepare(pictures, folder, recipe, num_workers or _cores(), max_failed)
    if outcome.manifest is None:
        print(f"error: {outcome.complaint}", file=sys.stderr)
        return 1
    for name, split in outcome.manifest["splits"].items():
        size = sum(shard["raw_data"]["bytes"] for shard in split["shards"])
        print(f"{name:5} {split['images']:>8} images, {len(split['shards'])} shards, {size / 1e6:.1f} MB")
    for pair, number in outcome.manifest["in_two_splits"].items():
        if number:
            print(f"note: {number} images are in {pair}")
    for note in pictures.notes:
        print(f"note: {note}")
    print(f"{outcome.failed} unreadable, {len(pictures.passed_over)} passed over: {Path(out) / REPORT}")
    print(f"content hash {outcome.manifest['content_hash']}")
    reader = "PreparedPhotographs" if pictures.class_names == [ONLY_CLASS] else "Prepared"
    print(f"use it: --data=lit_an.data.{reader} --data.root={out} --data.image_size={image_size}")
    return 0


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

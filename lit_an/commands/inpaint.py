"""``python cli.py inpaint``: fills holes in your own pictures with an inpainting generator."""

import os
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from lit_an.commands.checkpoint_option import chosen_for, say_showcase
from lit_an.errors import InputError, OutputError
from lit_an.files import OF_ONE_NAME, printable, remove_leftovers, user_path
from lit_an.images.files import count_by_ending
from lit_an.inpainting.hole_sources import DilatedHoles, HolesFromColor, HolesFromFiles, HolesFromShape, HoleSource
from lit_an.inpainting.holes import check_threshold
from lit_an.inpainting.pairing import Masks, pictures_in, result_names
from lit_an.inpainting.picture import read_picture, to_model
from lit_an.inpainting.picture_writing import ENDINGS, Format
from lit_an.inpainting.report import REPORT, Entry, Report
from lit_an.inpainting.results import Kind, Request, key_of, write_copy, write_results
from lit_an.inpainting.tiling import Tiling, check_tiling, tiles_with_holes
from lit_an.masks.base import HoleShape
from lit_an.sampling.streaming import claim
from lit_an.trained.checkpoints import parse_device, weights_hash
from lit_an.trained.inpainter import TrainedInpainter

_NOTES = 5  # that are shown
_THRESHOLD, _TOLERANCE = 0.5, 16


def run(
    images: str,
    ckpt_path: str | None = None,
    config: str | None = None,
    masks: str | None = None,
    color_key: str = "",
    hole_shape: HoleShape | None = None,
    output: str | None = None,
    write: tuple[Kind, ...] = ("composite",),
    threshold: float = _THRESHOLD,
    inverted: bool = False,
    tolerance: int = _TOLERANCE,
    seed: int = 0,
    dilate: int = 0,
    max_pixels: int = 1024 * 1024,
    tile: int | None = None,
    format: Format = "keep",
    quality: int | None = None,
    device: str = "auto",
) -> int:
    """Fills holes in pictures with an inpainting generator; a second run skips finished files.

    Args:
        images: a folder of pictures, including its sub-folders, or one picture.
        ckpt_path: the folder of a run, one of its .ckpt files, or the folder of an export. Default: the generator that
            comes with lit_an.
        config: the config of the run. Default: config.yaml in its run folder.
        masks: a folder of masks with the pictures' names (any ending, with or without _mask), or one mask for all;
            bright is hole. Masks match the pictures as viewers show them.
        color_key: in place of masks: the color, such as ff00ff, that is painted where the hole is.
        hole_shape: in place of masks: a class of lit_an.masks that draws them.
        output: the folder to write to. Default: predictions/iteration_… in the run folder; for the generator that
            comes with lit_an, predictions/showcase_inpainting in the current folder.
        write: any of composite (the picture with its holes filled), coarse and fine (the outputs of the two stages),
            erased (the picture with gray holes) and layouts (the regions of the norm).
        threshold: share of white above which a mask's pixel is hole.
        inverted: in masks, dark is hole.
        tolerance: largest difference of a channel from color_key, in levels of 255.
        seed: seed of hole_shape.
        dilate: pixels by which holes grow in each direction.
        max_pixels: a picture of more pixels is filled in tiles; memory grows with it.
        tile: side of a tile. Default: the largest that max_pixels allows.
        format: format of the composites. keep takes the picture's own and preserves known pixels bit for bit, except
            in JPEG, which is encoded again; png preserves them always.
        quality: quality of JPEG, 1 to 100. Default: the picture's own quantization tables.
        device: cpu, cuda, cuda:1, …; auto takes a GPU if there is one.

    Returns:
        0: all pictures done; 1: some failed, and the report says why.
    """
    if quality is not None and not 1 <= quality <= 100:
        raise InputError(f"quality must be from 1 to 100, got {quality}")
    if quality is not None and format not in ("keep", "jpeg"):
        raise InputError(f"--quality is of JPEG, which --format {format} is not; omit it")
    tiling = Tiling(max_pixels, tile)
    check_tiling(tiling)
    root = user_path(images)
    masks_of = None if masks is None else Masks(user_path(masks), root)
    check_threshold(threshold)
    source = DilatedHoles(_source(masks_of, color_key, hole_shape, threshold, inverted, tolerance, seed), dilate)
    chosen = chosen_for("inpaint", ckpt_path, config)
    inpainter = chosen.inpainter().to(parse_device(device))
    say_showcase(ckpt_path, inpainter)
    iteration = inpainter.description.iteration
    folder = chosen.output(output, f"iteration_{iteration:07d}")
    found = pictures_in(root, [folder, *(masks_of.beside() if masks_of else [])])
    pictures = found.images
    settings = {
        # Pictures of two folders may have one name.
        "images": os.fspath((root.parent if root.is_file() else root).resolve()),
        "weights_sha256": weights_hash(inpainter.network.state_dict()),
        "iteration": iteration,
        "max_pixels": max_pixels,
        "tile": tiling.side,
        "format": format,
        "quality": quality,
    }
    claim(folder, settings, "pictures")
    remove_leftovers(folder)
    composites = result_names(pictures, None if format == "keep" else ENDINGS[format.upper()])
    others = result_names(pictures, ".png")
    requests = [Request(write, folder, *names, format, quality) for names in zip(composites, others, strict=True)]
    work = _Work(inpainter, root, source, tiling)
    entries = _all(work, pictures, requests, Report(folder, found.left_out))
    _say(folder, entries, found.left_out)
    return int(any(entry.status == "failed" for entry in entries))


class _Work(NamedTuple):
    inpainter: TrainedInpainter
    root: Path
    source: HoleSource
    tiling: Tiling


def _source(
    masks: Masks | None,
    color_key: str,
    hole_shape: HoleShape | None,
    threshold: float,
    inverted: bool,
    tolerance: int,
    seed: int,
) -> HoleSource:
    options = {"--masks": masks, "--color_key": color_key or None, "--hole_shape": hole_shape}
    given = [name for name, value in options.items() if value is not None]
    if len(given) != 1:
        said = " and ".join(given) if given else "none"
        raise InputError(f"give one of --masks, --color_key and --hole_shape, to say where the holes are; got {said}")
    for option, is_given, of in (
        ("--threshold", threshold != _THRESHOLD, "--masks"),
        ("--inverted", inverted, "--masks"),
        ("--tolerance", tolerance != _TOLERANCE, "--color_key"),
        ("--seed", seed != 0, "--hole_shape"),
    ):
        if is_given and of not in given:
            raise InputError(f"{option} is about {of}, but the holes are those of {given[0]}; omit it")
    if masks is not None:
        return HolesFromFiles(masks, threshold, inverted)
    if color_key:
        return HolesFromColor(color_key, tolerance)
    assert hole_shape is not None
    return HolesFromShape(hole_shape, seed)


def _all(work: _Work, pictures: list[Path], requests: list[Request], report: Report) -> list[Entry]:
    """Processes one picture after another; a failure does not stop the others."""
    with tqdm(total=len(pictures), unit="image", mininterval=1) as bar:
        for index, (picture, request) in enumerate(zip(pictures, requests, strict=True)):
            try:
                entry = _one(work, picture, index, request, report)
            except InputError as error:
                if isinstance(error, OutputError) and error.errno not in OF_ONE_NAME:
                    raise  # the next picture would fail too; the journal lists the finished ones
                entry = Entry(picture.as_posix(), "failed", reason=str(error))
                tqdm.write(f"failed: {picture}: {error}", file=sys.stderr)
            report.add(entry)
            bar.update()
    report.close()
    return report.entries


def _one(work: _Work, picture: Path, index: int, request: Request, report: Report) -> Entry:
    path = work.root if work.root.is_file() else work.root / picture
    original = read_picture(path)
    image = to_model(original)
    hole = work.source.of(picture, index, image)
    key = key_of(path, hole.mask, request)
    finished = report.finished(picture.as_posix(), key, request.kinds)
    if finished is not None:
        return finished
    empty = not hole.mask.any()
    if empty:
        written = write_copy(path, original, hole.mask, request)
    else:
        tiles = sum(1 for _ in tiles_with_holes(hole.mask, work.tiling))
        with tqdm(total=tiles, unit="tile", leave=False, disable=tiles < 2) as bar:
            written = write_results(work.inpainter, original, image, hole.mask, request, work.tiling, bar.update)
    notes = [*original.notes, *hole.notes, *written.notes]
    if empty:
        notes.append("there is no hole in it" + (": copied" if written.files else ""))
    return Entry(
        picture.as_posix(),
        "copied" if empty else "made",
        key,
        list(request.kinds),
        hole.origin,
        written.files,
        (image.shape[-1], image.shape[-2]),
        round(float(hole.mask.mean()), 6),
        written.tiles,
        round(written.deviation.largest, 3),
        round(written.deviation.share, 6),
        notes,
    )


def _say(folder: Path, entries: list[Entry], left_out: dict[str, int]) -> None:
    counts = Counter("found finished" if entry.by != "this run" else entry.status for entry in entries)
    counts["with notes"] = sum(bool(entry.notes) for entry in entries)
    said = ", ".join(f"{number} {status}" for status, number in sorted(counts.items()) if number)
    print(f"The pictures are in {printable(folder)}: {said}; {REPORT} says more", flush=True)
    notes = [f"note: {entry.image}: {note}" for entry in entries if entry.by == "this run" for note in entry.notes]
    for note in notes[:_NOTES]:
        print(printable(note), flush=True)
    if len(notes) > _NOTES:
        print(f"{len(notes) - _NOTES} more notes are in {REPORT}", flush=True)
    if left_out:
        print(f"Left out, as their names are not those of pictures: {printable(count_by_ending(left_out))}", flush=True)
    deviation = max((entry.known_deviation for entry in entries), default=0.0)
    if deviation > 0:
        said = f"known pixels differ by up to {deviation:.0f} of 255"
        print(f"JPEG files were encoded again: {said}; --format png keeps them", flush=True)

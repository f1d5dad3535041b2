"""Writes many samples to disk, batch by batch; an interrupted run can be continued."""

import hashlib
import json
import os
import re
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from lit_an.errors import InputError
from lit_an.files import remove_leftovers, replacing
from lit_an.pictures.panels import to_uint8, write_png
from lit_an.sampling.images import sample
from lit_an.trained.generator import TrainedGenerator

SETTINGS = "settings.json"


class Requests(NamedTuple):
    """Which images to make.

    Attributes:
        labels: the class of each.
        seeds: the seed of each.
    """

    labels: list[int]
    seeds: list[int]


def requests_of(classes: Sequence[int], samples_per_class: int, first_seed: int = 0) -> Requests:
    """Seeds ``first_seed``, … of each class; classes alternate, so that any first part is balanced.

    Raises:
        InputError: no class, fewer than one image of each, or seeds of more than 64 bits.

    Example:
        >>> requests_of([0, 2], samples_per_class=2)
        Requests(labels=[0, 2, 0, 2], seeds=[0, 0, 1, 1])
    """
    if samples_per_class < 1 or not classes:
        raise InputError(f"samples_per_class must be at least 1, of at least one class, got {samples_per_class}")
    if not -(2**63) <= first_seed <= 2**63 - samples_per_class:
        raise InputError(f"seeds must be 64-bit integers, got first_seed {first_seed}")
    seeds = [seed for seed in range(first_seed, first_seed + samples_per_class) for _ in classes]
    return Requests(list(classes) * samples_per_class, seeds)


def claim(folder: Path, settings: Mapping[str, Any], what: str = "samples") -> None:
    """Reserves a folder for the samples of one generator and one set of settings, written to ``settings.json``.

    Args:
        folder: made if missing.
        settings: everything that its content depends on.
        what: kind of content, for error sentences.

    Raises:
        InputError: it holds other samples or other files, it is a file, or its settings cannot be read.
    """
    path = folder / SETTINGS
    # Listed before: another process that shares the work may write the settings, and then samples, at any moment.
    there = os.listdir(folder) if folder.is_dir() else []
    if path.exists():
        former = _settings_in(path)
        differing = [key for key in {**settings, **former} if settings.get(key) != former.get(key)]
        if differing:
            key = differing[0]
            raise InputError(
                f"{folder} holds other {what} ({key} {former.get(key)}, now {settings.get(key)}); "
                f"name another folder with --output or remove this one"
            )
    elif folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; name a folder with --output")
    elif any(not name.startswith(".") for name in there):
        raise InputError(f"{folder} holds files that are not of this command; name another folder with --output")
    else:
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def write_samples(
    generator: TrainedGenerator,
    requests: Requests,
    folder: Path,
    png: bool = True,
    npz: bool = False,
    truncation: float | None = None,
    batch_size: int = 64,
    shard: int = 0,
    shards: int = 1,
) -> None:
    """Writes ``<class>/<seed>.png`` for each image, ``samples_<number>.npz`` with all of them, or both.

    The npz holds ``arr_0`` (uint8, (N, H, W, 3)), ``arr_1`` (labels) and ``seed``; the first two are what the
    evaluators of published image generators read. Batches that are finished are skipped. Only one batch is in memory.

    Args:
        generator: what makes them.
        requests: which images.
        folder: where to; see ``claim``.
        png, npz: what to write.
        truncation: see ``sample``.
        batch_size: images made at once; the same one gives the same bytes again.
        shard, shards: this process makes every ``shards``-th batch, from the ``shard``-th on. Only a call with
            ``shards`` = 1, which may find all batches finished, joins the npz.

    Raises:
        InputError: a number out of range, or an npz of that name with other images.
    """
    if batch_size < 1 or not 0 <= shard < shards:
        raise InputError(f"batch_size must be at least 1 and 0 ≤ shard < shards, got {batch_size}, {shard}, {shards}")
    archive = folder / f"samples_{len(requests.labels)}.npz"
    held = _images_in(archive) if npz else None
    if held is not None and held != requests:
        raise InputError(
            f"{archive} holds other images ({_spoken(held)}), now {_spoken(requests)}; name another folder with "
            f"--output or remove it"
        )
    npz = npz and held is None
    if not (png or npz):
        return
    if shards == 1:
        remove_leftovers(folder)
    batches = _batches(requests, batch_size)
    parts = folder / f".parts-{_digest(requests)}-{batch_size}"
    paths = _png_paths(generator.class_names, folder)
    with tqdm(total=len(requests.labels), unit="image", mininterval=1) as bar:
        for index, batch in enumerate(batches):
            pictures = [paths[label] / f"{seed:05d}.png" for label, seed in zip(*batch, strict=True)] if png else []
            part = parts / f"{index:06d}.npy"
            missing = [path for path in [*pictures, *([part] if npz else [])] if not path.exists()]
            if missing and index % shards == shard:
                images = to_uint8(sample(generator, *batch, truncation, batch_size))
                for image, path in zip(images, pictures, strict=False):
                    write_png(path, image)
                if npz:
                    with replacing(part) as temporary:
                        np.save(temporary, images.permute(0, 2, 3, 1).numpy())
            bar.update(len(batch.labels))
    if npz and shards == 1:
        _join(parts, len(batches), requests, archive, generator.image_size)
        shutil.rmtree(parts)


def folder_names(class_names: Sequence[str]) -> list[str]:
    """A safe and unique folder name for each class.

    Example:
        >>> folder_names(["sea lion", "a/b", "..", "a_b"])
        ['sea lion', 'a_b', '2', '3']
        >>> folder_names(["2", "a/b", "a_b"])
        ['2', 'a_b', '2_']
    """
    names: list[str] = []
    for label, name in enumerate(class_names):
        safe = re.sub(r"[^\w .,()+-]", "_", name).strip(" .")
        place = safe if safe and safe not in names else str(label)
        while place in names:
            place += "_"
        names.append(place)
    return names


def _png_paths(class_names: Sequence[str], folder: Path) -> list[Path]:
    return [folder / name for name in folder_names(class_names)]


def _batches(requests: Requests, size: int) -> list[Requests]:
    starts = range(0, len(requests.labels), size)
    return [Requests(*(field[start : start + size] for field in requests)) for start in starts]


def _digest(requests: Requests) -> str:
    return hashlib.sha256(json.dumps(requests).encode()).hexdigest()[:16]


def _settings_in(path: Path) -> dict[str, Any]:
    try:
        settings = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        reason = "it is empty" if path.is_file() and not path.stat().st_size else str(error)
        raise InputError(
            f"{path} cannot be read ({reason}), so that what its folder holds is unknown; name another folder with "
            f"--output or remove this one"
        ) from error
    if not isinstance(settings, dict):
        raise InputError(f"{path} holds no settings; name another folder with --output or remove this one")
    return settings


def _images_in(archive: Path) -> Requests | None:
    """The images that an archive holds; None if it is not there or damaged."""
    try:
        with np.load(archive, allow_pickle=False) as arrays:
            return Requests(arrays["arr_1"].tolist(), arrays["seed"].tolist())
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile):
        return None


def _spoken(requests: Requests) -> str:
    seeds, classes = requests.seeds, len(set(requests.labels))
    return f"seeds {min(seeds)} to {max(seeds)} of {classes} classes"


def _join(parts: Path, count: int, requests: Requests, archive: Path, side: int) -> None:
    """Streams the parts into one array of a zip file, as ``numpy.savez`` would write it from memory."""
    header = {"descr": "|u1", "fortran_order": False, "shape": (len(requests.labels), side, side, 3)}
    with replacing(archive) as temporary, zipfile.ZipFile(temporary, "w") as zipped:
        with zipped.open("arr_0.npy", "w", force_zip64=True) as file:
            np.lib.format.write_array_header_1_0(file, header)
            for index in range(count):
                file.write(np.load(parts / f"{index:06d}.npy", allow_pickle=False).data)
        for name, values in (("arr_1", requests.labels), ("seed", requests.seeds)):
            with zipped.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, torch.tensor(values).numpy())

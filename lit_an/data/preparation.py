"""Making shards: in parallel, each whole or not there, going on after a kill where it stopped."""

import hashlib
import json
import os
import re
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

import lit_an.data.manifest as manifests
from lit_an.data.image_decoding import encode, encode_regions
from lit_an.data.manifest import Recipe, check_recipe
from lit_an.data.shards import engine, write_index, write_shard
from lit_an.data.sources import Source, SourceSplit
from lit_an.errors import InputError
from lit_an.files import replacing, sha256_of

# Below the output folder: what is finished, and what is not yet.
RECORDS, PARTIAL, PLAN, REPORT = ".finished", ".partial", "plan.json", "report.json"


class Job(NamedTuple):
    """The pictures of one shard: ``start`` ≤ number < ``stop`` of a split."""

    split: str
    number: int
    start: int
    stop: int


class Outcome(NamedTuple):
    """What came of a preparation.

    Attributes:
        manifest: what was written, or None where too much failed.
        complaint: why there is none, in one sentence.
        pictures: how many were asked for.
        failed: how many of them could not be read.
    """

    manifest: dict[str, Any] | None
    complaint: str
    pictures: int
    failed: int


def prepare(source: Source, folder: Path, recipe: Recipe, num_workers: int = 1, max_failed: float = 0.0) -> Outcome:
    """Makes the shards that are not there yet, then the manifest and the report.

    The bytes depend on the source and the recipe alone, not on ``num_workers`` or on how often this was killed.

    Args:
        source: the pictures.
        folder: where the shards go: ``<split>/shard.<number>.mds``.
        recipe: how they are made.
        num_workers: processes.
        max_failed: share of pictures that may be unreadable, 0 … 1; above it there will be no manifest.

    Raises:
        InputError: an impossible value, a folder that holds shards of another source or recipe, or no engine.
    """
    check_recipe(recipe)
    if not 0.0 <= max_failed <= 1.0:
        raise InputError(f"prepare: max_failed must be between 0 and 1, got {max_failed}")
    if num_workers < 1:
        raise InputError(f"prepare: num_workers must be at least 1, got {num_workers}")
    engine()
    key = _claim(folder, source, recipe)
    records = list(_all_records(source, folder, recipe, key, num_workers))
    shutil.rmtree(folder / PARTIAL, ignore_errors=True)
    _write_report(folder, source, records)
    failed = sum(len(record["failed"]) for record in records)
    pictures = sum(len(split.labels) for split in source.splits.values())
    complaint = _complaint(source, records, pictures, failed, max_failed, folder)
    manifest = None if complaint else _write_manifest(folder, source, recipe, records)
    return Outcome(manifest, complaint, pictures, failed)


def jobs_of(source: Source, recipe: Recipe) -> list[Job]:
    """The shards to make, in the order of splits and numbers."""
    size = recipe.images_per_shard
    return [
        Job(name, number, start, min(start + size, len(split.labels)))
        for name, split in source.splits.items()
        for number, start in enumerate(range(0, len(split.labels), size))
    ]


def make(job: Job, split: SourceSplit, folder: Path, recipe: Recipe, key: str) -> dict[str, Any]:
    """Makes one shard, unless it is there; returns its record, which is written last and so means that it is whole."""
    file = folder / RECORDS / f"{job.split}-{job.number:05d}.json"
    record = _finished(file, folder / job.split, key)
    if record is None:
        record = _make(job, split, folder, recipe) | {"key": key}
        with replacing(file) as temporary:
            temporary.write_text(json.dumps(record, sort_keys=True))
    return record


def _make(job: Job, split: SourceSplit, folder: Path, recipe: Recipe) -> dict[str, Any]:
    labels = split.labels
    record: dict[str, Any] = {"split": job.split, "entry": None, "failed": [], "labels": [], "digests": []}
    changed: Counter[str] = Counter()

    def samples() -> Iterator[tuple[bytes, int, bytes | None]]:
        for index in range(job.start, job.stop):
            try:
                image, regions, conversions = split.picture(index)
            except InputError as error:
                record["failed"].append([split.name(index), _reason(error)])
                continue
            data = encode(image, recipe.stored_as, recipe.quality)
            changed.update(conversions)
            record["labels"].append(labels[index])
            record["digests"].append(hashlib.blake2b(data, digest_size=8).hexdigest())
            yield data, labels[index], None if regions is None else encode_regions(regions)

    iterator = samples()
    first = next(iterator, None)
    if first is not None:
        temporary = folder / PARTIAL / f"{job.split}-{job.number:05d}-{os.getpid()}"
        path = folder / job.split / f"shard.{job.number:05d}.mds"
        record["entry"] = write_shard(path, _chain(first, iterator), temporary)
    return record | {"conversions": dict(changed)}


def _reason(error: InputError) -> str:
    """What stands in the brackets of ``read_image``'s sentence: the report names the file itself."""
    found = re.search(r"cannot be read \((.*)\); ", str(error))
    return found.group(1) if found else str(error)


def _chain(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest


def _finished(file: Path, folder: Path, key: str) -> dict[str, Any] | None:
    """The record of a shard that is there and whole, or None."""
    try:
        record: dict[str, Any] = json.loads(file.read_text())
        data = record["entry"] and record["entry"]["raw_data"]
        whole = record["key"] == key and (
            data is None or sha256_of(folder / data["basename"]) == next(iter(data["hashes"].values()))
        )
    except (OSError, ValueError, KeyError):
        return None
    return record if whole else None


def _claim(folder: Path, source: Source, recipe: Recipe) -> str:
    """Says in the folder what is made there; returns its key. What was made of another source stays as it is."""
    plan = {"recipe": list(recipe), "class_names": source.class_names, "source": _listing_hash(source)}
    key = hashlib.sha256(json.dumps(plan, sort_keys=True).encode()).hexdigest()
    path = folder / PLAN
    if path.is_file():
        earlier = json.loads(path.read_text())
        if earlier.get("key") != key:
            what = "of the same pictures with other options" if earlier.get("source") == plan["source"] else "of others"
            raise InputError(f"prepare: {str(folder)!r} holds shards {what}; choose another folder or remove it")
    elif folder.is_dir() and any(folder.iterdir()):
        raise InputError(f"prepare: the folder {str(folder)!r} holds other files; choose an empty or a new one")
    shutil.rmtree(folder / PARTIAL, ignore_errors=True)
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(plan | {"key": key}, sort_keys=True))
    return key


def _listing_hash(source: Source) -> str:
    digest = hashlib.sha256()
    for name, split in source.splits.items():
        digest.update(f"[{name}]\n".encode())
        for line in split.listing():
            digest.update(os.fsencode(line + "\n"))
    return digest.hexdigest()


def _all_records(source: Source, folder: Path, recipe: Recipe, key: str, num_workers: int) -> Iterator[dict[str, Any]]:
    jobs = jobs_of(source, recipe)
    with (
        ProcessPoolExecutor(
            num_workers, initializer=_start, initargs=(source, folder, recipe, key, os.getpid())
        ) as pool,
        # disable=None: a bar on a terminal, nothing in a log file.
        tqdm(desc="preparing", total=sum(job.stop - job.start for job in jobs), unit="img", disable=None) as bar,
    ):
        for job, record in zip(jobs, pool.map(_work, jobs), strict=True):
            bar.update(job.stop - job.start)
            yield record


# What a process makes shards of: sent once, not with every job.
_TASK: list[Any] = []


def _start(source: Source, folder: Path, recipe: Recipe, key: str, parent: int) -> None:
    _TASK[:] = [source, folder, recipe, key]
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """Ends this process soon after the one that started it was killed: nobody else would."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _work(job: Job) -> dict[str, Any]:
    source, folder, recipe, key = _TASK
    return make(job, source.splits[job.split], folder, recipe, key)


def _complaint(
    source: Source, records: Sequence[dict[str, Any]], pictures: int, failed: int, max_failed: float, folder: Path
) -> str:
    if failed > max_failed * pictures:
        return (
            f"{failed} of {pictures} images cannot be read, more than max_failed={max_failed} allows; they are listed "
            f"in {str(folder / REPORT)!r}: mend or remove them, or raise max_failed"
        )
    counts = _counts(source, records)
    for split, of_class in counts.items():
        for name, count in zip(source.class_names, of_class, strict=True):
            if split == "train" and not count:
                return f"no readable image of the class {name!r} is left in 'train'; see {str(folder / REPORT)!r}"
        if not any(of_class):
            return f"no readable image is left in {split!r}; see {str(folder / REPORT)!r}"
    return ""


def _counts(source: Source, records: Sequence[dict[str, Any]]) -> dict[str, list[int]]:
    """Images of each class in each split."""
    counts = {name: [0] * len(source.class_names) for name in source.splits}
    for record in records:
        for label in record["labels"]:
            counts[record["split"]][label] += 1
    return counts


def _write_report(folder: Path, source: Source, records: Sequence[dict[str, Any]]) -> None:
    converted: Counter[str] = Counter()
    for record in records:
        converted.update(record["conversions"])
    failed = [
        {"split": record["split"], "file": name, "reason": reason}
        for record in records
        for name, reason in record["failed"]
    ]
    report = {"failed": failed, "passed_over": source.passed_over, "converted": dict(sorted(converted.items()))}
    with replacing(folder / REPORT) as temporary:
        temporary.write_text(json.dumps(report, indent=1) + "\n")


def _write_manifest(folder: Path, source: Source, recipe: Recipe, records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    counts = _counts(source, records)
    splits = {}
    for name in source.splits:
        shards = [record["entry"] for record in records if record["split"] == name and record["entry"]]
        write_index(folder / name, shards)
        splits[name] = {"images": sum(counts[name]), "images_of_class": counts[name], "shards": shards}
    manifest = {
        "version": manifests.VERSION,
        "preprocessing": manifests.preprocessing(recipe),
        "class_names": source.class_names,
        "splits": splits,
        "in_two_splits": _in_two_splits(records),
        "failed": sum(len(record["failed"]) for record in records),
    }
    return manifests.write(folder, manifest)


def _in_two_splits(records: Sequence[dict[str, Any]]) -> dict[str, int]:
    """How many images of a later split are in an earlier one too, pixel for pixel."""
    digests: dict[str, list[str]] = {}
    for record in records:
        digests.setdefault(record["split"], []).extend(record["digests"])
    names = list(digests)
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    seen = {name: set(found) for name, found in digests.items()}
    return {f"{a} and {b}": sum(digest in seen[a] for digest in digests[b]) for a, b in pairs}

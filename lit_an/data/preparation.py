"""Making shards: in parallel, each whole or not there, going on after a kill where it stopped."""

import hashlib
import json
import os
import re
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

import lit_an.data.manifest as manifests
from lit_an.data.image_decoding import encode, encode_regions
from lit_an.data.manifest import Recipe, check_recipe, shard_length
from lit_an.data.preparation_results import complaint_about, write_manifest, write_report
from lit_an.data.shards import DIGEST, engine, write_shard
from lit_an.data.sources import Source, SourceSplit
from lit_an.errors import InputError
from lit_an.files import replacing, sha256_of
from lit_an.write_errors import write_errors_said

# Below the output folder: what is finished, and what is not yet.
RECORDS, PARTIAL, PLAN = ".finished", ".partial", "plan.json"

# Of the records: they are not understood by those who write others.
VERSION = 2


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

    The bytes depend on the source and the recipe alone, not on ``num_workers`` or on how often this was killed. A
    shard counts as there if its own bytes and those of the files that it was made of are what they were, and if no file
    that could not be read can be read now.

    Args:
        source: the pictures.
        folder: where the shards go: ``<split>/shard.<number>.mds``.
        recipe: how they are made.
        num_workers: processes.
        max_failed: share of pictures that may be unreadable, 0 … 1; above it there will be no manifest.

    Raises:
        InputError: an impossible value, a folder that holds shards of another source or recipe or cannot be written,
            or no engine.
    """
    check_recipe(recipe)
    if not 0.0 <= max_failed <= 1.0:
        raise InputError(f"prepare: max_failed must be between 0 and 1, got {max_failed}")
    if num_workers < 1:
        raise InputError(f"prepare: num_workers must be at least 1, got {num_workers}")
    engine()
    with write_errors_said("prepare", folder, "make room or choose another folder; what is finished is kept"):
        key = _claim(folder, source, recipe)
        try:
            records = list(_all_records(source, folder, recipe, key, num_workers))
        finally:
            shutil.rmtree(folder / PARTIAL, ignore_errors=True)
        write_report(folder, source, records)
        failed = sum(len(record["failed"]) for record in records)
        pictures = sum(len(split.labels) for split in source.splits.values())
        complaint = complaint_about(source, records, pictures, failed, max_failed, folder)
        manifest = None if complaint else write_manifest(folder, source, recipe, records)
    return Outcome(manifest, complaint, pictures, failed)


def jobs_of(source: Source, recipe: Recipe) -> list[Job]:
    """The shards to make, in the order of splits and numbers."""
    size = shard_length(recipe)
    return [
        Job(name, number, start, min(start + size, len(split.labels)))
        for name, split in source.splits.items()
        for number, start in enumerate(range(0, len(split.labels), size))
    ]


def make(job: Job, split: SourceSplit, folder: Path, recipe: Recipe, key: str) -> dict[str, Any]:
    """Makes one shard, unless it is there; returns its record, which is written last and so means that it is whole."""
    file = folder / RECORDS / f"{job.split}-{job.number:05d}.json"
    record = _finished(file, folder / job.split, key, job, split)
    if record is None:
        # It would not be that of the shards any more.
        (folder / manifests.FILE).unlink(missing_ok=True)
        record = _make(job, split, folder, recipe) | {"key": key}
        with replacing(file) as temporary:
            temporary.write_text(json.dumps(record, sort_keys=True))
    return record


def _make(job: Job, split: SourceSplit, folder: Path, recipe: Recipe) -> dict[str, Any]:
    labels = split.labels
    record: dict[str, Any] = {"split": job.split, "entry": None, "labels": [], "digests": []}
    record |= {"failed": [], "failed_at": []}
    changed: Counter[str] = Counter()
    source = hashlib.sha256()

    def samples() -> Iterator[tuple[bytes, int, bytes | None]]:
        for index in range(job.start, job.stop):
            # Before it is read: one that is replaced meanwhile is made again the next time.
            source.update(split.digest(index).encode())
            try:
                image, regions, conversions = split.picture(index)
            except InputError as error:
                record["failed_at"].append(index)
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
    return record | {"conversions": dict(changed), "source": source.hexdigest()}


def _reason(error: InputError) -> str:
    """What stands in the brackets of ``read_image``'s sentence: the report names the file itself."""
    found = re.search(r"cannot be read \((.*)\); ", str(error))
    return found.group(1) if found else str(error)


def _chain(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest


def _finished(file: Path, folder: Path, key: str, job: Job, split: SourceSplit) -> dict[str, Any] | None:
    """The record of a shard that is there and whole, and made of what its source holds now; or None."""
    try:
        record: dict[str, Any] = json.loads(file.read_text())
        data = record["entry"] and record["entry"]["raw_data"]
        fits = (
            record["key"] == key
            and (data is None or sha256_of(folder / data["basename"]) == data["hashes"][DIGEST])
            and record["source"] == _digest_of(job, split)
            and not any(_can_be_read(split, index) for index in record["failed_at"])
        )
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return record if fits else None


def _digest_of(job: Job, split: SourceSplit) -> str:
    digest = hashlib.sha256()
    for index in range(job.start, job.stop):
        digest.update(split.digest(index).encode())
    return digest.hexdigest()


def _can_be_read(split: SourceSplit, index: int) -> bool:
    try:
        split.picture(index)
    except InputError:
        return False
    return True


def _claim(folder: Path, source: Source, recipe: Recipe) -> str:
    """Says in the folder what is made there; returns its key. What was made of another source stays as it is."""
    plan: dict[str, Any] = {"recipe": list(recipe), "class_names": source.class_names, "source": _listing_hash(source)}
    plan["version"] = VERSION
    key = hashlib.sha256(json.dumps(plan, sort_keys=True).encode()).hexdigest()
    path = folder / PLAN
    if path.is_file():
        earlier = _read_plan(path)
        if earlier.get("key") != key:
            what = "of the same pictures with other options" if earlier.get("source") == plan["source"] else "of others"
            what = what if earlier.get("version") == VERSION else "made by another version"
            raise InputError(f"prepare: {str(folder)!r} holds shards {what}; choose another folder or remove it")
    elif folder.is_dir() and any(folder.iterdir()):
        raise InputError(f"prepare: the folder {str(folder)!r} holds other files; choose an empty or a new one")
    shutil.rmtree(folder / PARTIAL, ignore_errors=True)
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(plan | {"key": key}, sort_keys=True))
    return key


def _read_plan(path: Path) -> dict[str, Any]:
    try:
        plan = json.loads(path.read_text())
    except ValueError:
        plan = None
    if not isinstance(plan, dict):
        raise InputError(
            f"prepare: {str(path)!r} is not one that prepare wrote, perhaps damaged when the machine stopped; remove "
            f"the folder {str(path.parent)!r} or choose another"
        )
    return plan


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

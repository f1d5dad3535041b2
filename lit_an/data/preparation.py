"""Making shards: in parallel, each whole or not there, going on after a kill where it stopped."""

import hashlib
import json
import os
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import chain, groupby
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

import lit_an.data.shards.manifest as manifests
from lit_an.data.cropping import Cropping, as_image
from lit_an.data.preparation_results import Outcome, Plan, outcome_of
from lit_an.data.shards.encoding import conversions, encode, encode_regions
from lit_an.data.shards.format import Sample, engine, write_shard
from lit_an.data.shards.manifest import Recipe, check_recipe, shard_name
from lit_an.data.sources.base import SPLITS, Pictures, Source, Split
from lit_an.errors import InputError, at_least
from lit_an.files import printable, remove_leftovers, replacing, sha256_of
from lit_an.write_errors import write_errors_said

# Below the output folder: what is finished, and what is being made.
RECORDS, PLAN = ".finished", "plan.json"

# Of the records: they are not understood by those who write others.
VERSION = 3


class Part(NamedTuple):
    """Which part of the shards one machine makes: ``number`` of ``total``, from 1."""

    number: int = 1
    total: int = 1


class Job(NamedTuple):
    """The pictures of one shard: ``start`` ≤ number < ``stop`` of a split."""

    split: Split
    number: int
    start: int
    stop: int


def part_called(text: str) -> Part:
    """A part as one writes it.

    Raises:
        InputError: it is none.

    Example:
        >>> part_called("2/8")
        Part(number=2, total=8)
    """
    found = re.fullmatch(r"(\d+)/(\d+)", text.strip())
    part = Part(*map(int, found.groups())) if found else Part(0, 0)
    if not 1 <= part.number <= part.total:
        raise InputError(f"prepare: part must be K/N with 1 ≤ K ≤ N, such as 2/8, got {text!r}")
    return part


def plan_of(source: Source, image_size: int) -> Plan:
    """What there is to prepare of a source.

    Raises:
        InputError: a split is missing or empty.
    """
    source.fetch(image_size)
    splits = {split: source.pictures(split, image_size) for split in SPLITS if split != "test" or source.has_test}
    labeled = splits["train"].labels is not None
    return Plan(source.class_names if labeled else None, splits)


def prepare(
    plan: Plan,
    folder: Path,
    recipe: Recipe,
    num_workers: int = 1,
    max_failed: float = 0.0,
    part: Part = Part(),  # noqa: B008, it is a tuple
) -> Outcome:
    """Makes the shards that are not there yet; when all are, the manifest and the report.

    The bytes depend on the source and the recipe alone, not on ``num_workers``, on the number of parts or on how often
    this was killed. A shard counts as there if its own bytes and those of the files that it was made of are what they
    were, and if no file that could not be read can be read now.

    Args:
        plan: the pictures.
        folder: where the shards go: ``<split>/<number>.arrow``.
        recipe: how they are made.
        num_workers: processes.
        max_failed: share of pictures that may be unreadable, 0 … 1; above it there will be no manifest.
        part: of several that are made at the same time, on any machines that share the folder. The last to finish
            writes the manifest.

    Raises:
        InputError: an impossible value, a folder that holds shards of another source or recipe or cannot be written,
            or no package for the format.
    """
    check_recipe(recipe)
    if not 0.0 <= max_failed <= 1.0:
        raise InputError(f"prepare: max_failed must be between 0 and 1, got {max_failed}")
    at_least("prepare", 1, num_workers=num_workers)
    engine()
    with write_errors_said("prepare", folder, "make room or choose another folder; what is finished is kept"):
        key = _claim(folder, plan, recipe)
        jobs = jobs_of(plan, recipe)
        if part.total == 1:
            _remove_leftovers(folder, plan)
        mine = dict(_made(plan, jobs[part.number - 1 :: part.total], folder, recipe, key, num_workers))
        records = [mine.get(job) or _record_of(job, folder, key) for job in jobs]
        finished = [record for record in records if record is not None]
        if len(finished) < len(jobs):
            return Outcome(None, "", len(jobs) - len(finished), 0)
        _remove_leftovers(folder, plan)
        return outcome_of(plan, finished, folder, recipe, max_failed)


def jobs_of(plan: Plan, recipe: Recipe) -> list[Job]:
    """The shards to make, in the order of splits and numbers."""
    size = recipe.images_per_shard
    return [
        Job(name, number, start, min(start + size, len(pictures)))
        for name, pictures in plan.splits.items()
        for number, start in enumerate(range(0, len(pictures), size))
    ]


def make(job: Job, pictures: Pictures, folder: Path, recipe: Recipe, key: str) -> dict[str, Any]:
    """Makes one shard, unless it is there; returns its record, which is written last and so means that it is whole."""
    record = _record_of(job, folder, key)
    if record is None or not _is_current(record, job, pictures, folder):
        # It would not be that of the shards any more.
        (folder / manifests.FILE).unlink(missing_ok=True)
        record = _make(job, pictures, folder, recipe) | {"key": key}
        with replacing(_record_file(job, folder)) as temporary:
            temporary.write_text(json.dumps(record, sort_keys=True))
    return record


def _make(job: Job, pictures: Pictures, folder: Path, recipe: Recipe) -> dict[str, Any]:
    labels, cropping = pictures.labels, Cropping(recipe.image_size)
    record: dict[str, Any] = {"split": job.split, "entry": None, "digests": [], "failed": [], "failed_at": []}
    kept: list[int] = []
    changed: Counter[str] = Counter()
    source = hashlib.sha256()

    def samples() -> Iterator[Sample]:
        for index in range(job.start, job.stop):
            # Before it is read: one that is replaced meanwhile is made again the next time.
            source.update(pictures.digest(index).encode())
            try:
                picture = pictures.picture(index, recipe.image_size)
                file = pictures.file(index)
                found = [] if file is None else conversions(file)
            except InputError as error:
                record["failed_at"].append(index)
                record["failed"].append([_where(pictures, index), _reason(error)])
                continue
            image = cropping.square(as_image(picture.image))
            regions = None if picture.regions is None else cropping.cut(picture.image, picture.regions, None)[1]
            data = encode(image, recipe.stored_as, recipe.quality)
            changed.update(found)
            label = -1 if labels is None else int(labels[index])
            kept.append(label)
            record["digests"].append(hashlib.blake2b(data, digest_size=8).hexdigest())
            yield Sample(
                data,
                printable(pictures.name(index)),
                None if labels is None else label,
                None if regions is None else encode_regions(regions.byte().numpy()),
            )

    iterator = samples()
    first = next(iterator, None)
    if first is not None:
        path = folder / job.split / shard_name(job.number)
        write_shard(path, chain([first], iterator))
        record["entry"] = {
            "file": path.name,
            "images": len(kept),
            "bytes": path.stat().st_size,
            "sha256": sha256_of(path),
            "labels": None if labels is None else [[label, len(list(run))] for label, run in groupby(kept)],
        }
    return record | {"conversions": dict(changed), "source": source.hexdigest()}


def _where(pictures: Pictures, index: int) -> str:
    file = pictures.file(index)
    return pictures.name(index) if file is None else str(file)


def _reason(error: InputError) -> str:
    """What stands in the brackets of ``read_image``'s sentence: the report names the file itself."""
    found = re.search(r"cannot be read \((.*)\); ", str(error))
    return found.group(1) if found else str(error)


def _record_file(job: Job, folder: Path) -> Path:
    return folder / RECORDS / f"{job.split}-{job.number:05d}.json"


def _record_of(job: Job, folder: Path, key: str) -> dict[str, Any] | None:
    """The record of a shard that was finished for this plan, or None."""
    try:
        record: dict[str, Any] = json.loads(_record_file(job, folder).read_text())
        return record if record["key"] == key else None
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _is_current(record: dict[str, Any], job: Job, pictures: Pictures, folder: Path) -> bool:
    """Whether a shard is there and whole, and made of what its source holds now."""
    try:
        entry = record["entry"]
        return (
            (entry is None or sha256_of(folder / job.split / entry["file"]) == entry["sha256"])
            and record["source"] == _digest_of(job, pictures)
            and not any(_can_be_read(pictures, index) for index in record["failed_at"])
        )
    except (OSError, LookupError, TypeError):
        return False


def _digest_of(job: Job, pictures: Pictures) -> str:
    digest = hashlib.sha256()
    for index in range(job.start, job.stop):
        digest.update(pictures.digest(index).encode())
    return digest.hexdigest()


def _can_be_read(pictures: Pictures, index: int) -> bool:
    try:
        pictures.picture(index)
    except InputError:
        return False
    return True


def _claim(folder: Path, plan: Plan, recipe: Recipe) -> str:
    """Says in the folder what is made there; returns its key. What was made of another source stays as it is."""
    claim: dict[str, Any] = {"recipe": list(recipe), "class_names": plan.class_names, "source": _listing_hash(plan)}
    claim["version"] = VERSION
    key = hashlib.sha256(json.dumps(claim, sort_keys=True).encode()).hexdigest()
    path = folder / PLAN
    # Listed before: another part may write the plan, and then shards, at any moment.
    there = os.listdir(folder) if folder.is_dir() else []
    if path.is_file():
        earlier = _read_claim(path)
        if earlier.get("key") != key:
            what = (
                "of the same pictures with other options" if earlier.get("source") == claim["source"] else "of others"
            )
            what = what if earlier.get("version") == VERSION else "made by another version"
            raise InputError(f"prepare: {str(folder)!r} holds shards {what}; choose another folder or remove it")
        return key
    if any(not name.startswith(".lit_an-") for name in there):
        raise InputError(f"prepare: the folder {str(folder)!r} holds other files; choose an empty or a new one")
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(claim | {"key": key}, sort_keys=True))
    return key


def _read_claim(path: Path) -> dict[str, Any]:
    try:
        claim = json.loads(path.read_text())
    except ValueError:
        claim = None
    if not isinstance(claim, dict):
        raise InputError(
            f"prepare: {str(path)!r} is not one that prepare wrote, perhaps damaged when the machine stopped; remove "
            f"the folder {str(path.parent)!r} or choose another"
        )
    return claim


def _listing_hash(plan: Plan) -> str:
    digest = hashlib.sha256()
    for split, pictures in plan.splits.items():
        digest.update(f"[{split}]\n".encode())
        labels = pictures.labels
        for index in range(len(pictures)):
            digest.update(os.fsencode(f"{pictures.name(index)}\t{0 if labels is None else labels[index]}\n"))
    return digest.hexdigest()


def _remove_leftovers(folder: Path, plan: Plan) -> None:
    for split in plan.splits:
        remove_leftovers(folder / split)


def _made(
    plan: Plan, jobs: list[Job], folder: Path, recipe: Recipe, key: str, num_workers: int
) -> Iterator[tuple[Job, dict[str, Any]]]:
    with (
        ProcessPoolExecutor(num_workers, initializer=_start, initargs=(plan, folder, recipe, key, os.getpid())) as pool,
        # disable=None: a bar on a terminal, nothing in a log file.
        tqdm(desc="preparing", total=sum(job.stop - job.start for job in jobs), unit="img", disable=None) as bar,
    ):
        for job, record in zip(jobs, pool.map(_work, jobs), strict=True):
            bar.update(job.stop - job.start)
            yield job, record


# What a process makes shards of: sent once, not with every job.
_TASK: list[Any] = []


def _start(plan: Plan, folder: Path, recipe: Recipe, key: str, parent: int) -> None:
    _TASK[:] = [plan, folder, recipe, key]
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """Ends this process soon after the one that started it was killed: nobody else would."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _work(job: Job) -> dict[str, Any]:
    plan, folder, recipe, key = _TASK
    return make(job, plan.splits[job.split], folder, recipe, key)

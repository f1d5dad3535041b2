"""Making one shard: whole or not there, and not again unless what it was made of has changed."""

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain, groupby
from pathlib import Path
from typing import Any

import lit_an.data.shards.manifest as manifests
from lit_an.data.cropping import Cropping, as_image
from lit_an.data.preparation.plan import Job
from lit_an.data.shards.encoding import conversions, encode, encode_regions
from lit_an.data.shards.format import Sample, write_shard
from lit_an.data.shards.manifest import Recipe, shard_name
from lit_an.data.sources.base import Pictures
from lit_an.errors import InputError
from lit_an.files import printable, replacing, sha256_of

# Below the output folder: a record of each finished shard.
RECORDS = ".finished"


def make(job: Job, pictures: Pictures, folder: Path, recipe: Recipe, key: str) -> dict[str, Any]:
    """Makes one shard, unless it is there; returns its record, which is written last and so means that it is whole.

    Raises:
        InputError: it is there, of other pictures of the same names, which are in another folder.
    """
    record = record_of(job, folder, key)
    if record is None or not _is_current(record, job, pictures, folder):
        _check_same_source(record, job, pictures, folder)
        # It would not be that of the shards any more.
        (folder / manifests.FILE).unlink(missing_ok=True)
        record = _make(job, pictures, folder, recipe) | {"key": key}
        with replacing(_record_file(job, folder)) as temporary:
            temporary.write_text(json.dumps(record, sort_keys=True), encoding="utf-8")
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
    return record | {"conversions": dict(changed), "source": source.hexdigest(), "source_folder": _place(pictures)}


def _place(pictures: Pictures) -> str | None:
    return None if pictures.folder is None else os.path.realpath(pictures.folder)


def _check_same_source(record: dict[str, Any] | None, job: Job, pictures: Pictures, folder: Path) -> None:
    """Refuses to replace a shard of another source. One that is elsewhere now, or on another machine, is the same."""
    earlier = None if record is None else record.get("source_folder")
    if (
        record is not None
        and isinstance(earlier, str)
        and earlier != _place(pictures)
        and os.path.isdir(earlier)
        and record["source"] != _digest_of(job, pictures)
    ):
        raise InputError(
            f"prepare: {str(folder)!r} holds shards of other pictures of the same names, those in {earlier!r}; choose "
            f"another folder or remove it"
        )


def _where(pictures: Pictures, index: int) -> str:
    file = pictures.file(index)
    return pictures.name(index) if file is None else str(file)


def _reason(error: InputError) -> str:
    """What stands in the brackets of ``read_image``'s sentence: the report names the file itself."""
    found = re.search(r"cannot be read \((.*)\); ", str(error))
    return found.group(1) if found else str(error)


def _record_file(job: Job, folder: Path) -> Path:
    return folder / RECORDS / f"{job.split}-{job.number:05d}.json"


def record_of(job: Job, folder: Path, key: str) -> dict[str, Any] | None:
    """The record of a shard that was finished for this plan, or None."""
    try:
        record: dict[str, Any] = json.loads(_record_file(job, folder).read_text(encoding="utf-8"))
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

"""The one door to the streaming engine, MosaicML Streaming: shards are written and read through these functions.

The engine is an extra and takes seconds to import, so it is imported when it is needed. Why this one: docs/data.md.
"""

import json
import os
import shutil
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lit_an.errors import InputError
from lit_an.files import replacing

# The engine keeps 32-bit positions in a shard and does not look whether they are enough.
LARGEST_SHARD = 2**32 - 1

# A column that tells damaged samples: read with each, it costs a tenth of the reading.
CHECKSUM = "crc32"

# Which digest is kept of each shard: that of ``lit_an.files.sha256_of``.
DIGEST = "sha256"

DOWNLOAD_SECONDS = 600.0  # for one shard

Sample = dict[str, Any]


def engine() -> Any:
    """The module of the engine that knows its file format.

    Raises:
        InputError: it is not installed.
    """
    try:
        import streaming.base.format as module
    except ImportError as error:
        raise InputError(
            f"prepared shards need the package mosaicml-streaming ({error}); pip install '.[data]'"
        ) from error
    return module


def write_shard(path: Path, samples: Iterable[tuple[bytes, int, bytes | None]], temporary: Path) -> dict[str, Any]:
    """Writes one shard, whole or not at all; the same samples give the same bytes.

    Args:
        path: of the shard.
        samples: image, label and regions of each; regions in all or in none. At least one.
        temporary: a folder on the same file system that does not exist yet.

    Returns:
        The shard's entry for ``write_index``, with its digest.
    """
    iterator = iter(samples)
    first = next(iterator)
    columns = {"image": "bytes", "label": "uint32", CHECKSUM: "uint32"}
    columns |= {} if first[2] is None else {"regions": "bytes"}
    try:
        # size_limit=None: all in one file.
        with engine().MDSWriter(out=str(temporary), columns=columns, hashes=[DIGEST], size_limit=None) as writer:
            for image, label, regions in (first, *iterator):
                sample: Sample = {"image": image, "label": np.uint32(label), "regions": regions}
                sample[CHECKSUM] = np.uint32(_checksum(sample))
                writer.write({name: sample[name] for name in columns})
        (entry,) = _read_index(temporary)["shards"]
        path.parent.mkdir(parents=True, exist_ok=True)
        os.replace(temporary / entry["raw_data"]["basename"], path)
        entry["raw_data"]["basename"] = path.name
        return dict(entry)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_index(folder: Path, entries: Sequence[dict[str, Any]]) -> None:
    """Writes the engine's own index, so that its ``StreamingDataset`` reads the folder too."""
    with replacing(folder / "index.json") as temporary:
        temporary.write_text(json.dumps({"version": 2, "shards": list(entries)}, sort_keys=True) + "\n")


class CheckedShard(Sequence[Sample]):
    """The samples of a shard, each compared with its checksum when it is read.

    Shards made before there were checksums are read without.

    Args:
        reader: the engine's.
        path: of the shard.
    """

    def __init__(self, reader: Sequence[Sample], path: Path) -> None:
        self.reader, self.path = reader, path

    def __len__(self) -> int:
        return len(self.reader)

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override]
        """A sample; raises InputError if it is damaged."""
        try:
            sample = self.reader[index]
            whole = CHECKSUM not in sample or int(sample[CHECKSUM]) == _checksum(sample)
            damage = "" if whole else "wrong checksum"
        except Exception as error:  # the engine's decoders raise nearly anything for a damaged file
            damage = f"{type(error).__name__}: {error}"
        if damage:
            raise InputError(
                f"data: sample {index} of the shard {str(self.path)!r} is damaged ({damage}); prepare again, which "
                f"makes only damaged shards, or remove the file if it was fetched"
            )
        return sample


def _checksum(sample: Sample) -> int:
    """Of image, regions and label: of all that a reader takes."""
    found = zlib.crc32(sample.get("regions") or b"", zlib.crc32(sample["image"]))
    return zlib.crc32(int(sample["label"]).to_bytes(4, "little"), found)


def open_shards(folder: Path, entries: Sequence[dict[str, Any]]) -> list[CheckedShard]:
    """Readers of shards, each a sequence of samples that reads one at a time, in any order.

    Raises:
        InputError: an entry is of another format, or could run code when it is read.
    """
    try:
        readers = [engine().reader_from_json(str(folder), None, entry) for entry in entries]
        for reader in readers:
            reader.validate(allow_unsafe_types=False)
    except (AssertionError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"data: the shards in {str(folder)!r} are not as prepare writes them ({error})") from error
    names = [entry["raw_data"]["basename"] for entry in entries]
    return [CheckedShard(reader, folder / name) for reader, name in zip(readers, names, strict=True)]


def fetch(source: str, target: Path) -> None:
    """Copies a file from a folder or an object store (``s3://``, ``gs://``, ``azure://``, ``hf://``, …), atomically.

    Raises:
        InputError: it cannot be had.
    """
    engine()
    from streaming.base.storage.download import CloudDownloader

    with replacing(target) as temporary:
        temporary.unlink()  # the engine leaves a file alone that is there
        try:
            CloudDownloader.get(source).download(source, str(temporary), DOWNLOAD_SECONDS)
        except Exception as error:  # each store's client raises kinds of its own
            raise InputError(f"data: {source} cannot be fetched ({type(error).__name__}: {error})") from error


def _read_index(folder: Path) -> dict[str, Any]:
    index: dict[str, Any] = json.loads((folder / "index.json").read_text())
    return index

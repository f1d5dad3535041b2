"""The one door to the format of shards, Apache Arrow IPC files: written, read and fetched through these functions.

A shard is one file of record batches of 64 images, which any reader of Arrow opens: pandas, polars, DuckDB, Hugging
Face datasets. It is mapped into memory, and an image is read by its number alone. Why this format: docs/data.md.
"""

import os
import shutil
import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lit_an.errors import InputError, needs_package
from lit_an.files import replacing

ENDING = "arrow"
BATCH = 64  # images in a record batch


class Sample(NamedTuple):
    """An image as it is stored.

    Attributes:
        image: encoded, see ``lit_an.data.shards.encoding``.
        name: of the picture that it was made of.
        label: its class, or None where there are no classes.
        regions: its region map, encoded, or None where there is none.
    """

    image: bytes | memoryview
    name: str
    label: int | None = None
    regions: bytes | memoryview | None = None


def engine() -> Any:
    """The package pyarrow.

    Raises:
        InputError: it is not installed.
    """
    try:
        import pyarrow
    except ImportError as error:
        raise needs_package("prepared shards need", "pyarrow", "data", error) from error
    return pyarrow


def write_shard(path: Path, samples: Iterable[Sample]) -> None:
    """Writes one shard, whole or not at all; the same samples give the same bytes.

    Args:
        path: of the shard.
        samples: labels in all or in none, regions in all or in none. At least one.
    """
    pa, iterator = engine(), iter(samples)
    block = list(islice(iterator, BATCH))
    schema = pa.schema(_columns(block[0].label is not None, block[0].regions is not None))
    # As bytes, here and below: as text a name must be UTF-8.
    with (
        replacing(path) as temporary,
        pa.OSFile(os.fsencode(temporary), "wb") as sink,
        pa.ipc.new_file(sink, schema) as writer,
    ):
        while block:
            columns = {name: [getattr(sample, name) for sample in block] for name in schema.names if name != "crc32"}
            columns["crc32"] = [checksum(sample) for sample in block]
            writer.write_batch(pa.record_batch(columns, schema=schema))
            block = list(islice(iterator, BATCH))


def checksum(sample: Sample) -> int:
    """CRC-32 of all that a reader takes: image, regions, label."""
    found = zlib.crc32(sample.regions or b"", zlib.crc32(sample.image))
    return zlib.crc32((0 if sample.label is None else sample.label).to_bytes(4, "little"), found)


class Shard(Sequence[Sample]):
    """The samples of a shard, read one at a time in any order, each compared with its checksum.

    The file is mapped when the first sample is read, in each process anew.

    Args:
        path: of the shard.
        length: how many samples it holds.
    """

    def __init__(self, path: Path, length: int) -> None:
        self.path, self.length = path, length
        self._batches: list[_Batch] | None = None

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override]
        """A sample; raises InputError if it is damaged."""
        try:
            if self._batches is None:
                self._batches = list(_batches(self.path, self.length))
            sample, expected = self._batches[index // BATCH].sample(index % BATCH)
            damage = "" if checksum(sample) == expected else "wrong checksum"
        except InputError:
            raise
        except Exception as error:  # pyarrow raises nearly anything for a damaged file
            damage = f"{type(error).__name__}: {error}"
        if damage:
            raise InputError(
                f"data: sample {index} of the shard {str(self.path)!r} is damaged ({damage}); prepare again, which "
                f"makes only damaged shards, or remove the file if it was fetched"
            )
        return sample

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_batches": None}


class _Values:
    """A column of bytes in the mapped file: where each value begins, and their memory."""

    def __init__(self, array: Any) -> None:
        offsets, data = array.buffers()[1:]
        self._ends = np.frombuffer(offsets, dtype=np.int64)[array.offset : array.offset + len(array) + 1]
        self._data = memoryview(data if data is not None else b"")
        if (self._ends[:-1] > self._ends[1:]).any() or self._ends[-1] > len(self._data):
            raise ValueError("its offsets lead out of the file")

    def __getitem__(self, row: int) -> memoryview:
        return self._data[self._ends[row] : self._ends[row + 1]]


class _Batch:
    """A record batch, its columns ready to be read by row: views of the file, of which a data set has many."""

    def __init__(self, batch: Any) -> None:
        columns = {name: batch.column(name) for name in batch.schema.names}
        self._image, self._name = _Values(columns["image"]), columns["name"]
        self._regions = _Values(columns["regions"]) if "regions" in columns else None
        self._label = columns.get("label")
        self._crc32 = columns["crc32"]

    def sample(self, row: int) -> tuple[Sample, int]:
        """A sample and the checksum that it should have."""
        label = None if self._label is None else self._label[row].as_py()
        regions = None if self._regions is None else self._regions[row]
        return Sample(self._image[row], self._name[row].as_py(), label, regions), self._crc32[row].as_py()


def _columns(labeled: bool, mapped: bool) -> list[tuple[str, Any]]:
    pa = engine()
    columns = [("image", pa.large_binary()), ("name", pa.large_utf8()), ("label", pa.int32())]
    columns += [("regions", pa.large_binary()), ("crc32", pa.uint32())]
    return [column for column in columns if (labeled or column[0] != "label") and (mapped or column[0] != "regions")]


def _batches(path: Path, length: int) -> Iterator[_Batch]:
    """The record batches of a shard, whose memory is the file's."""
    pa = engine()
    reader = pa.ipc.open_file(pa.memory_map(os.fsencode(path)))
    names = reader.schema.names
    if not reader.schema.equals(pa.schema(_columns("label" in names, "regions" in names))):
        raise ValueError(f"its columns are {', '.join(names)}")
    found = 0
    for number in range(reader.num_record_batches):
        batch = reader.get_batch(number)
        batch.validate(full=True)  # damaged positions would lead out of the memory, and end the process
        found += len(batch)
        if len(batch) != BATCH and found != length:
            raise ValueError("a record batch is short")
        yield _Batch(batch)
    if found != length:
        raise ValueError(f"it holds {found} images, not {length}")


def fetch(source: str, target: Path) -> None:
    """Copies a file from a folder or an object store (``s3://``, ``gs://``, ``abfs://``, ``hdfs://``), atomically.

    Raises:
        InputError: it is not available.
    """
    engine()
    from pyarrow import fs

    with replacing(target) as temporary:
        try:
            if "://" not in source:  # not by pyarrow: as text, its names must be UTF-8
                shutil.copyfile(source, temporary)
                return
            system, path = fs.FileSystem.from_uri(source)
            with system.open_input_stream(path, compression=None) as stream, temporary.open("wb") as file:
                while block := stream.read(1 << 24):
                    file.write(block)
        except Exception as error:  # each store's client raises kinds of its own
            raise InputError(f"data: {source} cannot be fetched ({type(error).__name__}: {error})") from error

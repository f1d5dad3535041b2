"""What one image costs in random order: this project's shards of Arrow against Lance, MosaicML Streaming and LitData.

    pip install '.[data]' pylance mosaicml-streaming litdata     # each in an environment of its own, if need be
    python benchmarks/shard_engines.py [--images 4096] [--reads 2000]

The same raw images of 128 px in eight shards, read by the numbers that a training order would ask for; nothing is
decoded. ``arrow`` is ``lit_an.data.shards``, with a checksum of each image; ``arrow, unchecked`` is what of that is the
format's. Engines that are not installed are left out. LitData's dataset is told to keep all shards mapped. Microseconds
an image by the clock and by the processor, medians of five interleaved rounds; and the seconds that an engine
takes to import.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import lit_an.data.shards.format as shard_format
from lit_an.data.shards.folder import Samples
from lit_an.data.shards.format import Sample, Shard, write_shard

SHARDS, IMAGE_BYTES = 8, 3 * 128 * 128
os.environ["LITDATA_DISABLE_VERSION_CHECK"] = "1"
MODULES = {"arrow": "pyarrow", "lance": "lance", "mosaic": "streaming", "litdata": "litdata"}

Reader = Callable[[int], Any]


def images_of(images: int, shard: int) -> list[tuple[bytes, int]]:
    """Noise, the same for all."""
    random = np.random.default_rng(shard)
    return [(random.bytes(IMAGE_BYTES), index) for index in range(images // SHARDS)]


def arrow(folder: Path, images: int) -> Reader:
    """Writes shards as ``prepare`` does; returns what reads an image."""
    shards = []
    for number in range(SHARDS):
        path = folder / f"{number:05d}.arrow"
        write_shard(path, (Sample(image, str(label), label) for image, label in images_of(images, number)))
        shards.append(Shard(path, images // SHARDS))
    return Samples(shards).__getitem__


def arrow_unchecked(folder: Path, images: int) -> Reader:
    """The same without comparing checksums."""
    read = arrow(folder, images)

    def unchecked(index: int) -> Any:
        compared, shard_format.checksum = shard_format.checksum, _as_stored
        try:
            return read(index)
        finally:
            shard_format.checksum = compared

    return unchecked


class _Anything:
    def __eq__(self, other: object) -> bool:
        return True


def _as_stored(sample: Sample) -> Any:
    return _Anything()


def lance(folder: Path, images: int) -> Reader:
    """Writes a Lance data set; returns what takes a row of it."""
    import lance as engine
    import pyarrow as pa

    schema = pa.schema([("image", pa.large_binary()), ("label", pa.int32())])
    for number in range(SHARDS):
        image, label = zip(*images_of(images, number), strict=True)
        table = pa.table({"image": list(image), "label": list(label)}, schema=schema)
        engine.write_dataset(table, str(folder / "set"), mode="append" if number else "create")
    dataset = engine.dataset(str(folder / "set"))
    return lambda index: dataset.take([index], columns=["image", "label"]).column("image")[0].as_buffer()


def mosaic(folder: Path, images: int) -> Reader:
    """Writes MosaicML's shards; returns what reads a sample."""
    from streaming.base.format import MDSWriter, reader_from_json

    columns = {"image": "bytes", "label": "uint32"}
    readers = []
    for number in range(SHARDS):
        part = folder / f"part{number}"
        with MDSWriter(out=str(part), columns=columns, size_limit=None) as writer:
            for image, label in images_of(images, number):
                writer.write({"image": image, "label": np.uint32(label)})
        (entry,) = json.loads((part / "index.json").read_text())["shards"]
        readers.append(reader_from_json(str(part), None, entry))
    per_shard = images // SHARDS
    return lambda index: readers[index // per_shard][index % per_shard]


def litdata(folder: Path, images: int) -> Reader:
    """Writes LitData's chunks and their index; returns what reads an image."""
    from litdata import StreamingDataset
    from litdata.streaming import Cache

    chunks, config = [], None
    for shard in range(SHARDS):
        part = folder / f"part{shard}"
        cache = Cache(input_dir=str(part), chunk_size=images // SHARDS)
        for index, (image, label) in enumerate(images_of(images, shard)):
            cache[index] = {"image": image, "label": label}
        cache.done()
        index_file = json.loads((part / "0.index.json").read_text())
        (chunk,), config = index_file["chunks"], index_file["config"]
        os.replace(part / chunk["filename"], folder / f"chunk-{shard}.bin")
        chunks.append({**chunk, "filename": f"chunk-{shard}.bin"})
    (folder / "index.json").write_text(json.dumps({"chunks": chunks, "config": config, "updated_at": "0"}))
    return StreamingDataset(str(folder), max_pre_download=SHARDS).__getitem__


def costs(read: Reader, order: list[int]) -> tuple[float, float]:
    """An image's share of reading all of ``order``, in microseconds: by the clock, and of the processor."""
    start, processor = time.perf_counter(), time.process_time()
    for index in order:
        read(index)
    return tuple(each / len(order) * 1e6 for each in (time.perf_counter() - start, time.process_time() - processor))  # type: ignore[return-value]


def import_seconds(module: str) -> float:
    """Seconds that a new process takes to import a module."""
    code = f"import time; start = time.time(); import {module}; print(time.time() - start)"
    return float(subprocess.check_output([sys.executable, "-c", code]).split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=4096)
    parser.add_argument("--reads", type=int, default=2000)
    options = parser.parse_args()
    order = np.random.default_rng(0).integers(0, options.images, options.reads).tolist()
    with tempfile.TemporaryDirectory() as temporary:
        readers: dict[str, Reader] = {}
        for engine in (arrow, arrow_unchecked, lance, mosaic, litdata):
            folder = Path(temporary, engine.__name__)
            folder.mkdir()
            try:
                readers[engine.__name__] = engine(folder, options.images)
            except ImportError as error:
                print(f"{engine.__name__:16} not installed ({error})")
        rounds = [{name: costs(read, order) for name, read in readers.items()} for _ in range(6)][1:]
        print(f"{'':16} {'µs an image':>12} {'of the processor':>17} {'s to import':>12}")
        for name in readers:
            clock, processor = (statistics.median(each[name][i] for each in rounds) for i in (0, 1))
            module = MODULES.get(name)
            imported = "" if module is None else f" {import_seconds(module):11.2f}"
            print(f"{name:16} {clock:12.1f} {processor:17.1f} {imported}")


if __name__ == "__main__":
    main()

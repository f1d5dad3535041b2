"""What one image costs in random order: MosaicML Streaming's reader against LitData's, on the same raw images.

    pip install litdata '.[data]'
    python benchmarks/shard_engines.py [--images 4096] [--reads 2000]

4096 images of 128 px in eight shards, read by numbers that a training order would ask for. LitData's dataset is told to
keep all shards mapped. Microseconds an image by the clock, medians of five interleaved rounds; nothing is decoded.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from lit_an.data.shards import open_shards, write_shard

SHARDS, IMAGE_BYTES = 8, 3 * 128 * 128
os.environ["LITDATA_DISABLE_VERSION_CHECK"] = "1"


def samples(images: int, shard: int) -> list[tuple[bytes, int, None]]:
    """Noise, the same for both."""
    random = np.random.default_rng(shard)
    return [(random.bytes(IMAGE_BYTES), index, None) for index in range(images // SHARDS)]


def mosaic(folder: Path, images: int) -> Callable[[int], Any]:
    """Writes shards as ``prepare`` does; returns what reads an image."""
    paths = [folder / f"shard.{shard:05d}.mds" for shard in range(SHARDS)]
    entries = [write_shard(path, samples(images, i), folder / f"t{i}") for i, path in enumerate(paths)]
    readers, per_shard = open_shards(folder, entries), images // SHARDS
    return lambda index: readers[index // per_shard][index % per_shard]


def litdata(folder: Path, images: int) -> Callable[[int], Any]:
    """Writes LitData's chunks and their index; returns what reads an image."""
    from litdata import StreamingDataset
    from litdata.streaming import Cache

    chunks, config = [], None
    for shard in range(SHARDS):
        part = folder / f"part{shard}"
        cache = Cache(input_dir=str(part), chunk_size=images // SHARDS)
        for index, (image, label, _) in enumerate(samples(images, shard)):
            cache[index] = {"image": image, "label": label}
        cache.done()
        index_file = json.loads((part / "0.index.json").read_text())
        (chunk,), config = index_file["chunks"], index_file["config"]
        os.replace(part / chunk["filename"], folder / f"chunk-{shard}.bin")
        chunks.append({**chunk, "filename": f"chunk-{shard}.bin"})
    (folder / "index.json").write_text(json.dumps({"chunks": chunks, "config": config, "updated_at": "0"}))
    return StreamingDataset(str(folder), max_pre_download=SHARDS).__getitem__


def microseconds(read: Callable[[int], Any], order: list[int]) -> float:
    """An image's share of reading all of ``order``."""
    start = time.perf_counter()
    for index in order:
        read(index)
    return (time.perf_counter() - start) / len(order) * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=4096)
    parser.add_argument("--reads", type=int, default=2000)
    options = parser.parse_args()
    order = np.random.default_rng(0).integers(0, options.images, options.reads).tolist()
    with tempfile.TemporaryDirectory() as temporary:
        readers = {}
        for engine in (mosaic, litdata):
            folder = Path(temporary, engine.__name__)
            folder.mkdir()
            readers[engine.__name__] = engine(folder, options.images)
        rounds = [{name: microseconds(read, order) for name, read in readers.items()} for _ in range(6)][1:]
        for name in readers:
            print(f"{name:8} {statistics.median(each[name] for each in rounds):8.0f} µs an image")


if __name__ == "__main__":
    main()

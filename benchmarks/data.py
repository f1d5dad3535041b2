"""How fast images are read: a folder of 500×375 JPEGs against prepared shards of 128 px, in each stored format.

    python benchmarks/data.py [--images 300] [--seconds 5] [--loaders]

Makes its own JPEGs (crops of the photograph behind the source Earth, quality 92), prepares them, and prints images a
second on one core, the ratio to the folder (aim: at least 10 for the default format) and the size on disk. --loaders
adds what a DataLoader with one and two workers delivers by the clock, in batches of 64. Rounds are interleaved, medians
are given.
"""

import argparse
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from lit_an.batch import Draw, collate
from lit_an.data import ClassData
from lit_an.data.preparation import plan_of, prepare
from lit_an.data.sampler import EndlessSampler
from lit_an.data.shards.encoding import FORMATS
from lit_an.data.shards.manifest import Recipe
from lit_an.data.sources import ImageFolder, Prepared
from lit_an.data.sources.earth_cutting import read_photograph

IMAGE_SIZE, BATCH_SIZE, ROUNDS = 128, 64, 5
MEGA = 1e6


def make_folder(root: Path, images: int) -> None:
    """JPEGs of 500×375, with a little noise for the smooth sea: about 50 kB, half of what ImageNet's have."""
    photograph = read_photograph()
    random = np.random.default_rng(0)
    for number in range(images):
        left, top = random.integers(0, photograph.width - 250), random.integers(400, photograph.height - 600)
        crop = photograph.crop((left, top, left + 250, top + 188)).resize((500, 375))
        pixels = np.asarray(crop) + random.normal(0, 6, (375, 500, 3))
        folder = root / f"class{number % 3}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{number:04d}.jpg", quality=92)


def draws(data: ClassData) -> Iterator[Draw]:
    """The training order, which is random."""
    return iter(EndlessSampler(len(data.dataset("train")), seed=0))


def in_batches(data: ClassData) -> Callable[[float], float]:
    """Images a second of one core: by the time of the processor, which other processes do not change."""
    dataset, order = data.dataset("train"), draws(data)

    def measure(seconds: float) -> float:
        start, read = time.process_time(), 0
        while time.process_time() - start < seconds:
            collate(dataset.__getitems__(list(itertools.islice(order, BATCH_SIZE))))
            read += BATCH_SIZE
        return read / (time.process_time() - start)

    return measure


def through_loader(data: ClassData) -> Callable[[float], float]:
    """Images a second that arrive from the workers of the training loader."""
    batches = iter(data.train_dataloader())
    for _ in range(8):
        next(batches)  # the workers start, and the queue fills and empties

    def measure(seconds: float) -> float:
        start, read = time.perf_counter(), 0
        while time.perf_counter() - start < seconds:
            read += len(next(batches).label)
        return read / (time.perf_counter() - start)

    return measure


def interleaved(measures: dict[str, Callable[[float], float]], seconds: float) -> dict[str, float]:
    """The median of each over rounds that alternate."""
    rounds = [{name: measure(seconds / ROUNDS) for name, measure in measures.items()} for _ in range(ROUNDS)]
    return {name: statistics.median(each[name] for each in rounds) for name in measures}


def size_of(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def modules(root: Path, shards: Path, num_workers: int) -> dict[str, ClassData]:
    """The folder, and the shards of each format."""
    common = {"image_size": IMAGE_SIZE, "batch_size": BATCH_SIZE, "num_workers": num_workers}
    prepared = {f"shards, {name}": ClassData(Prepared(shards / name), **common) for name in reversed(FORMATS)}
    return {"folder of JPEGs": ClassData(ImageFolder(root), **common), **prepared}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=5.0, help="of measuring, for each line")
    parser.add_argument("--loaders", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        root, shards = Path(temporary, "jpegs"), Path(temporary, "shards")
        make_folder(root, options.images)
        sizes = {"folder of JPEGs": size_of(root)}
        for name in FORMATS:
            prepare(plan_of(ImageFolder(root), IMAGE_SIZE), shards / name, Recipe(IMAGE_SIZE, name))
            sizes[f"shards, {name}"] = sum(size_of(shards / name / split) for split in ("train", "val"))
        ways: list[tuple[str, int, Callable[[ClassData], Callable[[float], float]]]]
        ways = [("one core, in batches", 0, in_batches)]
        if options.loaders:
            ways += [(f"loader, {number} worker{'s' * (number > 1)}", number, through_loader) for number in (1, 2)]
        for title, num_workers, way in ways:
            found = modules(root, shards, num_workers)
            rates = interleaved({name: way(data) for name, data in found.items()}, options.seconds)
            print(f"\n{title:22} {'images/s':>10} {'ratio':>7} {'MB / 1000 images':>17}")
            for name, rate in rates.items():
                per_thousand = sizes[name] / MEGA / options.images * 1000
                print(f"{name:22} {rate:10.0f} {rate / rates['folder of JPEGs']:7.1f} {per_thousand:17.1f}")


if __name__ == "__main__":
    main()

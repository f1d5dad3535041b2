"""Images as ``python cli.py prepare`` left them: shards, read in any order, from a folder or an object store."""

import os
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset
from tqdm import tqdm

import lit_an.data.manifest as manifests
from lit_an.batch import ClassBatch, Draw
from lit_an.data.base import LabelledImages, Split
from lit_an.data.image_decoding import decode, decode_regions
from lit_an.data.shards import Sample, fetch, open_shards
from lit_an.data.transforms import flips, mirror, to_unit_range
from lit_an.errors import InputError
from lit_an.files import cache_folder, sha256_of


class ShardImages(Dataset[ClassBatch]):
    """The images of one split, decoded when they are asked for.

    Args:
        shards: each a sequence of samples, with ``len``.
        stored_as: format of the images, see ``lit_an.data.image_decoding``.
        image_size: their side.
        flip: mirror what a ``Draw`` asks for, image and regions alike, if its seed says so.
    """

    def __init__(self, shards: Sequence[Sequence[Sample]], stored_as: str, image_size: int, flip: bool) -> None:
        self.shards, self.stored_as, self.image_size, self.flip = shards, stored_as, image_size, flip
        self._ends = list(accumulate(map(len, shards)))

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, item: Draw | int) -> ClassBatch:
        """One image; raises InputError if its shard is damaged."""
        sample = self.sample(item.index if isinstance(item, Draw) else item)
        image = decode(sample["image"], self.stored_as, self.image_size)
        regions = decode_regions(sample["regions"]) if "regions" in sample else None
        if self.flip and isinstance(item, Draw) and flips(item.seed):
            image, regions = mirror(image), None if regions is None else mirror(regions)
        return ClassBatch(to_unit_range(image), torch.tensor(int(sample["label"])), regions)

    def sample(self, index: int) -> Sample:
        """An image as it is stored."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        shard = bisect_right(self._ends, index)
        return self.shards[shard][index - (self._ends[shard - 1] if shard else 0)]


class Prepared(LabelledImages):
    """Shards that ``python cli.py prepare`` made, in place of the folder they were made of.

    Images are read one by one, in the order that training asks for, so that a run goes on exactly where it stopped,
    on any number of nodes, devices and workers. From an object store each node fetches the shards before it trains,
    once, into its cache folder, and checks their digests.

    Without a ``test`` of its own, ``test`` is ``val``.

    Args:
        root: the folder of ``manifest.json``, or its URL (``s3://bucket/folder``, ``gs://…``, ``azure://…``, …).
        image_size: side of the images in pixels: that of the shards.
        cache_dir: where fetched shards are kept; None takes ``lit_an`` in ``$XDG_CACHE_HOME`` or ``~/.cache`` for a
            URL, and reads a folder in place. With a folder as root, it copies slow network files to a fast disk.
        batch_size: images of one discriminator step on one device.
        batches_per_iteration: batches that one training iteration takes: the task's ``discriminator_steps``.
        num_workers: loader processes; one or two keep a training process fed, see docs/data.md.
        flip: mirror training images left to right at random.
        samples_per_class: images of each class that ``predict`` asks for.
        seed: chooses the order of the training images and their mirroring.

    Raises:
        InputError: there is no manifest, it was changed, or its images have another size; later, a shard that is
            missing or damaged, a split that is not there, or the engine's package is.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        image_size: int,
        cache_dir: str | None = None,
        batch_size: int = 64,
        batches_per_iteration: int = 1,
        num_workers: int = 0,
        flip: bool = True,
        samples_per_class: int = 16,
        seed: int = 0,
    ) -> None:
        super().__init__(image_size, batch_size, batches_per_iteration, num_workers, flip, samples_per_class, seed)
        self.root = str(root).rstrip("/") if "://" in str(root) else str(Path(root).expanduser())
        self.folder, self.manifest = _find(self.root, cache_dir)
        made_for = self.manifest["preprocessing"]["image_size"]
        if made_for != image_size:
            raise InputError(
                f"data: the shards in {self.root!r} hold images of {made_for} px, but image_size is {image_size}; "
                f"set it to {made_for}, or prepare shards of {image_size} px"
            )

    @property
    def class_names(self) -> list[str]:
        return list(self.manifest["class_names"])

    def prepare_data(self) -> None:
        """Fetches the shards that are not there yet; Lightning calls it once on each node."""
        if self.folder == Path(self.root):
            return
        missing = [
            (split, shard["raw_data"])
            for split, content in self.manifest["splits"].items()
            for shard in content["shards"]
            if not (self.folder / split / shard["raw_data"]["basename"]).is_file()
        ]
        # disable=None: a bar on a terminal, nothing in a log file.
        for split, data in tqdm(missing, "fetching shards", disable=None):
            self._fetch(split, data)

    def dataset(self, split: Split) -> Dataset[ClassBatch]:
        """The images of a split; see the base class.

        Raises:
            InputError: the split is not there, or a shard is missing or incomplete.
        """
        splits = self.manifest["splits"]
        name = "val" if split == "test" and "test" not in splits else split
        if name not in splits or not splits[name]["images"]:
            raise InputError(f"data: the shards in {self.root!r} have no split {name!r}")
        self.prepare_data()
        entries = splits[name]["shards"]
        for entry in entries:
            _check_whole(self.folder / name / entry["raw_data"]["basename"], entry["raw_data"]["bytes"])
        shards = open_shards(self.folder / name, entries)
        return ShardImages(shards, self.manifest["preprocessing"]["format"], self.image_size, self.flip)

    def _fetch(self, split: str, data: dict[str, Any]) -> None:
        target = self.folder / split / data["basename"]
        arriving = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            fetch(f"{self.root}/{split}/{data['basename']}", arriving)
            if sha256_of(arriving) != next(iter(data["hashes"].values())):
                raise InputError(f"data: {self.root}/{split}/{data['basename']} is not what its manifest says")
            os.replace(arriving, target)
        finally:
            arriving.unlink(missing_ok=True)


def _find(root: str, cache_dir: str | None) -> tuple[Path, dict[str, Any]]:
    """Where the shards are or will be read, and their manifest."""
    if "://" not in root and cache_dir is None:
        return Path(root), manifests.read(Path(root) / manifests.FILE, root)
    cache = cache_folder() if cache_dir is None else Path(cache_dir).expanduser()
    arriving = cache / f".manifest-{os.getpid()}.json"
    try:
        fetch(f"{root}/{manifests.FILE}", arriving)
        manifest = manifests.read(arriving, root)
    finally:
        arriving.unlink(missing_ok=True)
    # By content: shards that were prepared again never mix with those fetched before.
    return cache / f"prepared-{manifest['content_hash'][:16]}", manifest


def _check_whole(path: Path, size: int) -> None:
    if not path.is_file():
        raise InputError(f"data: the shard {str(path)!r} is missing; prepare again, which makes only what is missing")
    if path.stat().st_size != size:
        raise InputError(f"data: the shard {str(path)!r} is incomplete; prepare again, which makes only such ones")

"""Images as ``python cli.py prepare`` left them: shards, read in any order, from a folder or an object store."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lit_an.data.shards.encoding import decode, decode_regions
from lit_an.data.shards.folder import ShardFolder
from lit_an.data.sources.base import Picture, Pictures, Source, Split
from lit_an.errors import InputError


class ShardPictures(Pictures):
    """The images of one split, decoded when they are asked for.

    Args:
        shards: of all splits.
        split: which to show.
    """

    def __init__(self, shards: ShardFolder, split: Split) -> None:
        self.folder: Path = shards.folder
        self.side: int
        self.samples, self.stored_as, self.side = shards.samples(split), shards.stored_as, shards.image_size
        self._labels = shards.labels(split)
        self._content = f"{shards.manifest['content_hash']} {split}"

    def __len__(self) -> int:
        return len(self.samples)

    def picture(self, index: int, smallest_side: int | None = None) -> Picture:
        sample = self.samples[index]
        image = decode(sample.image, self.stored_as, self.side)
        return Picture(image, None if sample.regions is None else decode_regions(sample.regions).numpy())

    @property
    def labels(self) -> np.ndarray | None:
        return self._labels

    def gather(self, indices: Sequence[int]) -> tuple[Tensor, Tensor | None]:
        samples = [self.samples[index] for index in indices]
        images = torch.stack([decode(sample.image, self.stored_as, self.side) for sample in samples])
        maps = [decode_regions(sample.regions) for sample in samples if sample.regions is not None]
        return images, torch.stack(maps) if maps else None

    def name(self, index: int) -> str:
        return self.samples[index].name

    def digest(self, index: int) -> str:
        sample = self.samples[index]
        return hashlib.sha256(bytes(sample.image) + bytes(sample.regions or b"")).hexdigest()

    def listing_hash(self) -> str:
        return self._content  # names would be read one by one, from all shards


class Prepared(Source):
    """Shards that ``python cli.py prepare`` made, in place of the data set that they were made of.

    Images are read one by one, in the order that training asks for, so that a run goes on exactly where it stopped,
    on any number of nodes, devices and workers. From an object store each node fetches the shards before it trains,
    once, into its cache folder, and checks their digests.

    Shards may be larger than the images of a run: for random crops prepare them of ``image_size / min_scale`` pixels,
    so that no crop is enlarged. Without a ``test`` of its own, ``test`` is ``val``.

    Args:
        root: the folder of ``manifest.json``, or its URL (``s3://bucket/folder``, ``gs://…``, ``abfs://…``, …).
        cache_dir: where fetched shards are kept; None takes ``lit_an`` in ``$XDG_CACHE_HOME`` or ``~/.cache`` for a
            URL, and reads a folder in place. With a folder as root, it copies slow network files to a fast disk.

    Raises:
        InputError: there is no manifest, or it was changed; later, images larger than the shards, a shard that is
            missing or damaged, a split that is not there, or the format's package is.
    """

    crop = "center"

    def __init__(self, root: str | os.PathLike[str], cache_dir: str | os.PathLike[str] | None = None) -> None:
        self.shards = ShardFolder(root, cache_dir)

    @property
    def class_names(self) -> list[str] | None:
        names: list[str] | None = self.shards.manifest["class_names"]
        return names

    @property
    def has_test(self) -> bool:
        return self.shards.has_test

    def fetch(self, image_size: int) -> None:
        self.shards.fetch_missing()

    def open(self, split: Split, image_size: int) -> ShardPictures:
        made_for = self.shards.image_size
        if made_for < image_size:
            raise InputError(
                f"data: the shards in {self.shards.root!r} hold images of {made_for} px, less than "
                f"image_size={image_size}; lower it, or prepare shards of {image_size} px"
            )
        return ShardPictures(self.shards, split)

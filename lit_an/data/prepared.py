"""Images as ``python cli.py prepare`` left them: shards, read in any order, from a folder or an object store."""

import os
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset

from lit_an.batch import ClassBatch, Draw
from lit_an.data.base import LabelledImages, Split
from lit_an.data.image_decoding import decode, decode_regions
from lit_an.data.shard_folder import Samples, ShardFolder
from lit_an.data.transforms import dequantize, flips, mirror, to_unit_range
from lit_an.errors import InputError


class ShardImages(Dataset[ClassBatch]):
    """The images of one split, decoded when they are asked for.

    Args:
        samples: of the split.
        stored_as: format of the images, see ``lit_an.data.image_decoding``.
        image_size: their side.
        flip: mirror what a ``Draw`` asks for, image and regions alike, if its seed says so.
        noise: dequantize what a ``Draw`` asks for.
    """

    def __init__(self, samples: Samples, stored_as: str, image_size: int, flip: bool, noise: bool = False) -> None:
        self.samples, self.stored_as, self.image_size = samples, stored_as, image_size
        self.flip, self.noise = flip, noise

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, item: Draw | int) -> ClassBatch:
        """One image; raises InputError if its shard is damaged."""
        sample = self.samples[item.index if isinstance(item, Draw) else item]
        image = decode(sample["image"], self.stored_as, self.image_size)
        regions = decode_regions(sample["regions"]) if "regions" in sample else None
        if self.flip and isinstance(item, Draw) and flips(item.seed):
            image, regions = mirror(image), None if regions is None else mirror(regions)
        pixels = to_unit_range(image)
        if self.noise and isinstance(item, Draw):
            pixels = dequantize(pixels, item.seed)
        return ClassBatch(pixels, torch.tensor(int(sample["label"])), regions)


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
        seed: chooses the order of the training images, their mirroring and noise.
        dequantize: in training, fill the steps between 8-bit values with noise, as SNGAN-projection does; see
            ``lit_an.data.transforms.dequantize``.

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
        dequantize: bool = False,
    ) -> None:
        super().__init__(image_size, batch_size, batches_per_iteration, num_workers, flip, samples_per_class, seed)
        self.dequantize = dequantize
        self.shards = ShardFolder(root, cache_dir)
        made_for = self.shards.image_size
        if made_for != image_size:
            raise InputError(
                f"data: the shards in {self.shards.root!r} hold images of {made_for} px, but image_size is "
                f"{image_size}; set it to {made_for}, or prepare shards of {image_size} px"
            )

    @property
    def folder(self) -> Path:
        """Where the shards are or will be read."""
        return self.shards.folder

    @property
    def manifest(self) -> dict[str, Any]:
        """What is in the shards."""
        return self.shards.manifest

    @property
    def class_names(self) -> list[str]:
        return list(self.manifest["class_names"])

    def prepare_data(self) -> None:
        """Fetches the shards that are not there yet; Lightning calls it once on each node."""
        self.shards.fetch_missing()

    def dataset(self, split: Split) -> Dataset[ClassBatch]:
        """The images of a split; see the base class.

        Raises:
            InputError: the split is not there, or a shard is missing or incomplete.
        """
        return ShardImages(
            self.shards.samples(split), self.shards.stored_as, self.image_size, self.flip, self.dequantize
        )

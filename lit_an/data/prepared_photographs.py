"""Prepared shards for inpainting: the images and their regions, whatever their labels are."""

import os
from pathlib import Path
from typing import Any

from lit_an.data.base import Split
from lit_an.data.cropping import Crop
from lit_an.data.image_decoding import decode, decode_regions
from lit_an.data.masked_images import MaskedImages
from lit_an.data.photos import Photo
from lit_an.data.shard_folder import Samples, ShardFolder
from lit_an.errors import InputError
from lit_an.masks.base import HoleShape


class ShardPhotos:
    """The images of one split, decoded when they are asked for.

    Args:
        samples: of the split.
        stored_as: format of the images, see ``lit_an.data.image_decoding``.
        image_size: their side.
    """

    def __init__(self, samples: Samples, stored_as: str, image_size: int) -> None:
        self.samples, self.stored_as, self.image_size = samples, stored_as, image_size

    def __len__(self) -> int:
        return len(self.samples)

    def name(self, index: int) -> str:
        return f"{index:06d}"

    def file(self, index: int) -> None:
        return None

    def photo(self, index: int, smallest_side: int) -> Photo:
        sample = self.samples[index]
        image = decode(sample["image"], self.stored_as, self.image_size)
        return Photo(image, decode_regions(sample["regions"]).numpy() if "regions" in sample else None)


class PreparedPhotographs(MaskedImages):
    """Shards that ``python cli.py prepare`` made, in place of the folder they were made of; labels are ignored.

    With ``crop: centre`` and shards of ``image_size`` training sees the same pixels as from the folder. Shards may be
    larger than ``image_size``: for random crops make them of ``image_size / min_scale`` pixels, so that no crop is
    enlarged. Else as ``lit_an.data.Prepared``: read one by one in the order that training asks for, fetched from an
    object store before training. Without a ``test`` of its own, ``test`` is ``val``.

    Args:
        root: the folder of ``manifest.json``, or its URL (``s3://bucket/folder``, ``gs://…``, ``azure://``, …).
        image_size: side of the images in pixels, at most that of the shards.
        mask: shape of the holes; None takes ``lit_an.masks.Rectangle``.
        val_mask: shape of the holes of validation and test; None takes that of ``mask``.
        cache_dir: where fetched shards are kept, see ``lit_an.data.Prepared``.
        crop: ``centre`` shows the shards' images whole; see ``lit_an.data.MaskedImages``.
        min_scale: least share of a stored image that a random crop shows, 0 < min_scale ≤ 1.
        batch_size: images of one discriminator step on one device.
        batches_per_iteration: batches that one training iteration takes: the task's ``discriminator_steps``.
        num_workers: loader processes.
        flip: mirror training images left to right at random, regions and all.
        seed: chooses the order of the training images, what is random about them, and the holes of validation.

    Raises:
        InputError: there is no manifest, it was changed, or its images are smaller than ``image_size``; later, a
            shard that is missing or damaged, a split that is not there, or the engine's package is.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        image_size: int,
        mask: HoleShape | None = None,
        val_mask: HoleShape | None = None,
        cache_dir: str | None = None,
        crop: Crop = "centre",
        min_scale: float = 0.5,
        batch_size: int = 16,
        batches_per_iteration: int = 1,
        num_workers: int = 0,
        flip: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__(
            image_size, mask, val_mask, crop, min_scale, batch_size, batches_per_iteration, num_workers, flip, seed
        )
        self.shards = ShardFolder(root, cache_dir)
        if self.shards.image_size < image_size:
            raise InputError(
                f"data: the shards in {self.shards.root!r} hold images of {self.shards.image_size} px, less than "
                f"image_size={image_size}; lower it, or prepare shards of {image_size} px"
            )

    @property
    def folder(self) -> Path:
        """Where the shards are or will be read."""
        return self.shards.folder

    @property
    def manifest(self) -> dict[str, Any]:
        """What is in the shards."""
        return self.shards.manifest

    def prepare_data(self) -> None:
        """Fetches the shards that are not there yet; Lightning calls it once on each node."""
        self.shards.fetch_missing()

    def photos(self, split: Split) -> ShardPhotos:
        return ShardPhotos(self.shards.samples(split), self.shards.stored_as, self.shards.image_size)

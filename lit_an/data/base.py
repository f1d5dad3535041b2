"""What both data modules share: squares cut from a source's pictures, endless training draws, loaders."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.rank_zero import rank_zero_warn
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from lit_an.batch import Draw, collate
from lit_an.data.cropping import Crop, Cropping, check_cropping
from lit_an.data.sampler import EndlessSampler
from lit_an.data.sources.base import Pictures, Source, Split
from lit_an.data.transforms import flips, mirror, to_unit_range
from lit_an.errors import InputError, at_least
from lit_an.machine.loader import Loader
from lit_an.machine.workers import leave_signals_to_parent
from lit_an.seeds import mix_seed

Batch = TypeVar("Batch", bound=tuple[Any, ...])

CROP = 1  # the part of a draw's seed that chooses its crop, so that the crop says nothing about a hole


class Squares(Dataset[Batch]):
    """The pictures of one split as squares. A subclass implements ``items``.

    A ``Draw`` is cut and mirrored by its seed. An ``int`` gives the same square always: as much of the picture as can
    be shown.

    Args:
        pictures: of the split.
        cropping: how they become squares.
        flip: mirror what a ``Draw`` asks for, image and regions alike, if its seed says so.
    """

    def __init__(self, pictures: Pictures, cropping: Cropping, flip: bool) -> None:
        self.pictures, self.cropping, self.flip = pictures, cropping, flip

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, item: Draw | int) -> Batch:
        """One item; raises InputError if its picture cannot be read."""
        return self.__getitems__([item])[0]

    def __getitems__(self, wanted: Sequence[Draw | int]) -> list[Batch]:
        """Several items, as a loader asks for them.

        Raises:
            InputError: a picture cannot be read.
        """
        indices = [item.index if isinstance(item, Draw) else item for item in wanted]
        image, regions = self._cut(indices, wanted)
        flipped = [i for i, item in enumerate(wanted) if self.flip and isinstance(item, Draw) and flips(item.seed)]
        if flipped:
            image[flipped] = mirror(image[flipped])
            if regions is not None:
                regions[flipped] = mirror(regions[flipped])
        return self.items(wanted, indices, to_unit_range(image), regions)

    def items(
        self, wanted: Sequence[Draw | int], indices: Sequence[int], image: Tensor, regions: Tensor | None
    ) -> list[Batch]:
        """Items of squares.

        Args:
            wanted: what was asked for.
            indices: the numbers of the pictures.
            image: (B, 3, S, S), float32 in [-1, 1].
            regions: (B, S, S), int64, or None.
        """
        raise NotImplementedError

    def file(self, index: int) -> Path | None:
        """The file of a picture, if it has one of its own."""
        return self.pictures.file(index)

    def _cut(self, indices: Sequence[int], wanted: Sequence[Draw | int]) -> tuple[Tensor, Tensor | None]:
        random = self.cropping.crop == "random" and any(isinstance(item, Draw) for item in wanted)
        if self.pictures.side == self.cropping.image_size and not random:
            image, regions = self.pictures.gather(indices)
            return image, None if regions is None else regions.long()
        cut = [self._square(index, item) for index, item in zip(indices, wanted, strict=True)]
        maps = [part for _, part in cut if part is not None]
        return torch.stack([image for image, _ in cut]), torch.stack(maps) if maps else None

    def _square(self, index: int, item: Draw | int) -> tuple[Tensor, Tensor | None]:
        seed = mix_seed(item.seed, CROP) if isinstance(item, Draw) else None
        picture = self.pictures.picture(index, self.cropping.side_to_read(seed))
        return self.cropping.cut(picture.image, picture.regions, seed)


class ImageData(pl.LightningDataModule, Generic[Batch]):
    """Base of the data modules: how the pictures of a source become the batches of training, validation and test.

    In training, crop and mirroring are functions of the draw's seed, so that a run goes on exactly where it stopped, on
    any number of devices and workers. In validation and test, image ``i`` is always the same.

    Args:
        source: where the pictures are; see ``lit_an.data.sources``.
        image_size: side of the images in pixels.
        crop: ``center`` takes the center square of the short side, ``random`` in training a square at a random place
            whose side is a random share of the short side, ``resize`` the whole image, squeezed.
        min_scale: least share of ``random``, 0 < min_scale ≤ 1.
        batch_size: images of one discriminator step on one device.
        batches_per_iteration: batches that one training iteration takes: the task's ``discriminator_steps``. A training
            batch holds the images of a whole iteration.
        num_workers: loader processes; 0 loads in the training process.
        flip: mirror training images left to right at random.
        seed: chooses the order of the training images and whatever is random about them.

    Raises:
        InputError: a number out of its range, or an unknown ``crop``.
    """

    def __init__(
        self,
        source: Source,
        image_size: int,
        *,
        crop: Crop = "center",
        min_scale: float = 0.5,
        batch_size: int = 64,
        batches_per_iteration: int = 1,
        num_workers: int = 0,
        flip: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__()
        sizes = {"image_size": image_size, "batch_size": batch_size, "batches_per_iteration": batches_per_iteration}
        at_least("data", 1, **sizes)
        at_least("data", 0, num_workers=num_workers)
        self.source, self.image_size, self.batch_size = source, image_size, batch_size
        self.cropping = Cropping(image_size, crop, min_scale)
        check_cropping(self.cropping)
        self.batches_per_iteration, self.num_workers, self.flip, self.seed = (
            batches_per_iteration, num_workers, flip, seed
        )  # fmt: skip
        self._datasets: dict[Split, Squares[Batch]] = {}

    def squares(self, split: Split, pictures: Pictures) -> Squares[Batch]:
        """The data set of a split's pictures."""
        raise NotImplementedError

    def dataset(self, split: Split) -> Squares[Batch]:
        """The data set of a split; its pictures are listed once.

        Raises:
            InputError: the split is missing or empty.
        """
        if split not in self._datasets:
            self._datasets[split] = self.squares(split, self.source.pictures(split, self.image_size))
        return self._datasets[split]

    # Lightning declares a name that it never reads.
    def name(self, split: Split, index: int) -> str:  # type: ignore[override]
        """What tables call an image: its path below the folder of its split, or a number."""
        return self.dataset(split).pictures.name(index)

    def prepare_data(self) -> None:
        """Fetches what the source needs; Lightning calls it once on each node."""
        self.source.fetch(self.image_size)

    def train_dataloader(self) -> DataLoader[Batch]:
        dataset = self.dataset("train")
        world_size, rank = (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)
        # The task counts the images it has seen over all ranks: that count is the position in the stream.
        start = getattr(self.trainer.lightning_module, "images_seen", 0) if self.trainer else 0
        sampler = EndlessSampler(len(dataset), self.seed, start, rank, world_size)
        return self._loader("train", self.batch_size * self.batches_per_iteration, sampler)

    def val_dataloader(self) -> DataLoader[Batch]:
        return self._loader("val", self.batch_size)

    def test_dataloader(self) -> DataLoader[Batch]:
        return self._loader("test", self.batch_size)

    def _loader(self, split: Split, batch_size: int, sampler: EndlessSampler | None = None) -> DataLoader[Batch]:
        dataset = self.dataset(split)
        self._check_common(split, dataset.pictures)
        left_out = left_out_of(dataset)
        if left_out:
            rank_zero_warn(f"data: {left_out}", category=UserWarning)
        return Loader(
            dataset,
            batch_size=batch_size,
            sampler=sampler,
            num_workers=self.num_workers,
            collate_fn=collate,
            worker_init_fn=leave_signals_to_parent,
            pin_memory=torch.cuda.is_available(),
            persistent_workers=self.num_workers > 0,
        )

    def _check_common(self, split: Split, pictures: Pictures) -> None:
        """Checks that this process of a run has the pictures of the first: machines may see different files.

        Their draws are numbers of one order, and stand for the same pictures only then.

        Raises:
            InputError: it has others.
        """
        if self.trainer is None or self.trainer.world_size == 1:
            return
        mine = (len(pictures), pictures.listing_hash())
        first: tuple[int, str] = self.trainer.strategy.broadcast(mine)
        if mine != first:
            where = f" in {str(pictures.folder)!r}" if pictures.folder is not None else ""
            raise InputError(
                f"data: process {self.trainer.global_rank} of the run has other images of {split!r}{where} than "
                f"process 0 ({mine[0]:,} and {first[0]:,}); give all machines the same files"
            )


def left_out_of(dataset: Squares[Any]) -> str:
    """What lies in the folder of a split and is not taken, in one line; nothing where there is nothing of it."""
    left_out = str(dataset.pictures.left_out)
    return f"in {str(dataset.pictures.folder)!r} {left_out}" if left_out else ""

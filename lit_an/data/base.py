"""What every data module shares: endless shuffled training draws, loaders, split names, checked arguments."""

from collections.abc import Iterator
from typing import Any, Generic, Literal, TypeVar

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.rank_zero import rank_zero_warn
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from lit_an.batch import ClassBatch, Draw, SampleRequest, collate
from lit_an.errors import InputError
from lit_an.seeds import mix_seed
from lit_an.workers import leave_signals_to_parent

Split = Literal["train", "val", "test"]

Batch = TypeVar("Batch", bound=tuple[Any, ...])


class EndlessSampler(DistributedSampler[Draw]):
    """Shuffled draws without an end: epoch after epoch in one stream that can start anywhere.

    Draw ``p`` of the stream (over all ranks) is item ``p mod n`` of the permutation of epoch ``p div n``, a
    function of ``seed`` and ``p`` alone. A run that is resumed after ``p`` images goes on with draw ``p``, on
    any number of ranks.

    It is a ``DistributedSampler`` so that Lightning leaves it alone; it has no length, so that Lightning sees
    one endless epoch and a run's length is its number of iterations.

    Args:
        num_items: items in the data set, ≥ 1.
        seed: chooses the permutations and the seed of each draw.
        start: draws of the stream, over all ranks, that are already used.
        rank: this process, 0 ≤ rank < world_size; it takes every ``world_size``-th draw.
        world_size: number of processes.

    Example:
        >>> draws = iter(EndlessSampler(num_items=3, seed=0))
        >>> sorted(next(draws).index for _ in range(3))
        [0, 1, 2]
    """

    def __init__(self, num_items: int, seed: int = 0, start: int = 0, rank: int = 0, world_size: int = 1) -> None:
        assert num_items >= 1
        assert start >= 0
        assert 0 <= rank < world_size
        self.num_items, self.seed, self.start = num_items, seed, start
        self.rank, self.num_replicas = rank, world_size

    def __iter__(self) -> Iterator[Draw]:
        position = self.start + self.rank
        epoch, order = -1, torch.empty(0)
        while True:
            if position // self.num_items != epoch:
                epoch = position // self.num_items
                order = torch.randperm(self.num_items, generator=self._generator(epoch))
            yield Draw(int(order[position % self.num_items]), mix_seed(self.seed, position))
            position += self.num_replicas

    def __len__(self) -> int:
        raise TypeError("an endless sampler has no length")

    def set_epoch(self, epoch: int) -> None:
        """Nothing to set: the epoch follows from the position in the stream."""

    def _generator(self, epoch: int) -> torch.Generator:
        return torch.Generator().manual_seed(mix_seed(self.seed, -1, epoch))


class SampleRequests(Dataset[SampleRequest]):
    """Requests for ``per_class`` images of each class, in class order, for prediction."""

    def __init__(self, num_classes: int, per_class: int) -> None:
        self.num_classes, self.per_class = num_classes, per_class

    def __len__(self) -> int:
        return self.num_classes * self.per_class

    def __getitem__(self, index: int) -> SampleRequest:
        return SampleRequest(torch.tensor(index // self.per_class), torch.tensor(index % self.per_class))


class ImageData(pl.LightningDataModule, Generic[Batch]):
    """Base of all data modules: how the items of a data set become the batches of training, validation and test.

    A subclass gives the data set of a split (``dataset``), whose items are batches without the batch dimension,
    reached by a ``Draw`` in training (take all randomness from its seed) and by an ``int`` elsewhere (none).

    Args:
        image_size: side of the images in pixels.
        batch_size: images of one discriminator step on one device.
        batches_per_iteration: batches that one training iteration takes: the task's ``discriminator_steps``.
            A training batch holds the images of a whole iteration.
        num_workers: loader processes; 0 loads in the training process.
        flip: mirror training images left to right at random.
        seed: chooses the order of the training images and whatever is random about them.
    """

    def __init__(
        self, image_size: int, batch_size: int, batches_per_iteration: int, num_workers: int, flip: bool, seed: int
    ) -> None:
        super().__init__()
        check_least("image_size", image_size)
        check_least("batch_size", batch_size)
        check_least("batches_per_iteration", batches_per_iteration)
        check_least("num_workers", num_workers, 0)
        self.image_size, self.batch_size, self.batches_per_iteration = image_size, batch_size, batches_per_iteration
        self.num_workers, self.flip, self.seed = num_workers, flip, seed

    def dataset(self, split: Split) -> Dataset[Batch]:
        """The data set of a split, ready to be indexed."""
        raise NotImplementedError

    def train_dataloader(self) -> DataLoader[Batch]:
        dataset = self.dataset("train")
        world_size, rank = (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)
        # The task counts the images it has seen over all ranks: that count is the position in the stream.
        start = getattr(self.trainer.lightning_module, "images_seen", 0) if self.trainer else 0
        sampler = EndlessSampler(len(dataset), self.seed, start, rank, world_size)  # type: ignore[arg-type]
        return self._loader(dataset, self.batch_size * self.batches_per_iteration, sampler)

    def val_dataloader(self) -> DataLoader[Batch]:
        return self._loader(self.dataset("val"), self.batch_size)

    def test_dataloader(self) -> DataLoader[Batch]:
        return self._loader(self.dataset("test"), self.batch_size)

    def _loader(
        self, dataset: Dataset[Batch], batch_size: int, sampler: EndlessSampler | None = None
    ) -> DataLoader[Batch]:
        left_out = left_out_of(dataset)
        if left_out:
            rank_zero_warn(f"data: {left_out}", category=UserWarning)
        return DataLoader(
            dataset,
            batch_size=batch_size,
            sampler=sampler,
            num_workers=self.num_workers,
            collate_fn=collate,
            worker_init_fn=leave_signals_to_parent,
            pin_memory=torch.cuda.is_available(),
            persistent_workers=self.num_workers > 0,
        )


class LabelledImages(ImageData[ClassBatch]):
    """Base of the data modules that yield ``ClassBatch``; a subclass also says what its classes are.

    Args:
        image_size: side of the images in pixels.
        batch_size: images of one discriminator step on one device.
        batches_per_iteration: batches that one training iteration takes: the task's ``discriminator_steps``.
        num_workers: loader processes; 0 loads in the training process.
        flip: mirror training images left to right at random.
        samples_per_class: images of each class that ``predict`` asks for.
        seed: chooses the order of the training images and their augmentation.
    """

    def __init__(
        self,
        image_size: int,
        batch_size: int = 64,
        batches_per_iteration: int = 1,
        num_workers: int = 0,
        flip: bool = True,
        samples_per_class: int = 16,
        seed: int = 0,
    ) -> None:
        super().__init__(image_size, batch_size, batches_per_iteration, num_workers, flip, seed)
        check_least("samples_per_class", samples_per_class)
        self.samples_per_class = samples_per_class

    @property
    def class_names(self) -> list[str]:
        """Names of the classes in the order of their labels."""
        raise NotImplementedError

    def predict_dataloader(self) -> DataLoader[SampleRequest]:
        requests = SampleRequests(len(self.class_names), self.samples_per_class)
        return DataLoader(requests, batch_size=self.batch_size)


def left_out_of(dataset: Any) -> str:
    """What lies in the folder of a split and is not taken, in one line; nothing where there is nothing of it."""
    left_out = str(getattr(dataset, "left_out", ""))
    return f"in {str(dataset.folder)!r} {left_out}" if left_out else ""


def check_least(name: str, value: int, least: int = 1) -> None:
    """Raises InputError for an argument below its least value."""
    if value < least:
        raise InputError(f"data: {name} must be at least {least}, got {value}")

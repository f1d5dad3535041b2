"""The order of training: shuffled draws without an end, which can start anywhere."""

from collections.abc import Iterator

import torch
from torch.utils.data import DistributedSampler

from lit_an.batch import Draw
from lit_an.seeds import mix_seed


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

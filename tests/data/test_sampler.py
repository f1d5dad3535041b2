"""The endless sampler: a stream that is a function of the seed and the position alone."""

from itertools import islice

import pytest

from lit_an.batch import Draw
from lit_an.data.sampler import EndlessSampler


def take(number: int, **arguments: int) -> list[Draw]:
    return list(islice(EndlessSampler(**arguments), number))


def test_every_epoch_has_every_item_once_in_an_order_of_its_own() -> None:
    indices = [draw.index for draw in take(35, num_items=7, seed=3)]
    epochs = [tuple(indices[start : start + 7]) for start in range(0, 35, 7)]
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs)
    assert len(set(epochs)) > 1


@pytest.mark.parametrize("start", [0, 1, 6, 7, 8, 20])
def test_a_resumed_stream_goes_on_where_it_stopped(start: int) -> None:
    assert take(15, num_items=7, seed=3, start=start) == take(start + 15, num_items=7, seed=3)[start:]


@pytest.mark.parametrize("world_size", [2, 3])
@pytest.mark.parametrize("start", [0, 5])
def test_ranks_share_out_the_stream_of_one_process(world_size: int, start: int) -> None:
    ranks = [take(9, num_items=7, start=start, rank=rank, world_size=world_size) for rank in range(world_size)]
    interleaved = [draw for draws in zip(*ranks, strict=True) for draw in draws]
    assert interleaved == take(9 * world_size, num_items=7, start=start)


def test_each_draw_has_a_seed_of_its_own() -> None:
    seeds = [draw.seed for seed in (0, 1) for draw in take(5000, num_items=7, seed=seed)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_another_seed_gives_another_order() -> None:
    first, second = ([draw.index for draw in take(50, num_items=50, seed=seed)] for seed in (0, 1))
    assert first != second


def test_the_stream_has_no_length() -> None:
    with pytest.raises(TypeError, match="no length"):
        len(EndlessSampler(num_items=3))
